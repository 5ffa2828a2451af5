package ground

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"sync"
	"time"

	tgruntime "github.com/testground/sdk-go/runtime"
)

// profiles captures what a run asks for in TEST_CAPTURE_PROFILES, under the names of Testground's SDK: cpu for as long as the
// instance lives, any other kind of runtime/pprof each so often. What cannot be captured is told, and is no failure.
func profiles(p *tgruntime.RunParams, say Recorder) (stop func()) {
	var stops []func()
	for _, kind := range slices.Sorted(maps.Keys(p.TestCaptureProfiles)) {
		end, err := profile(p.TestOutputsPath, kind, p.TestCaptureProfiles[kind])
		if err != nil {
			say.Message("profile %s: %v", kind, err)
			continue
		}
		stops = append(stops, end)
	}
	return func() {
		for _, end := range stops {
			end()
		}
	}
}

func profile(dir, kind, interval string) (stop func(), err error) {
	if kind == "cpu" {
		f, err := os.Create(filepath.Join(dir, "cpu.prof"))
		if err != nil {
			return nil, err
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			f.Close()
			return nil, err
		}
		return func() { pprof.StopCPUProfile(); f.Close() }, nil
	}
	of := pprof.Lookup(kind)
	if of == nil {
		return nil, fmt.Errorf("no such kind: expected cpu, heap, goroutine, allocs, block, mutex or threadcreate")
	}
	every, err := time.ParseDuration(interval)
	if err != nil || every <= 0 {
		return nil, fmt.Errorf("interval %q: expected a time such as 5s", interval)
	}
	done := make(chan struct{})
	var writing sync.WaitGroup
	writing.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case at := <-tick.C:
				write(of, filepath.Join(dir, fmt.Sprintf("%s.%s.prof", kind, at.Format(time.RFC3339))))
			case <-done:
				return
			}
		}
	})
	return func() { close(done); writing.Wait() }, nil
}

// write writes a profile. One that cannot be written is missing afterwards; the disk is full then, and results.out says so.
func write(of *pprof.Profile, path string) {
	if f, err := os.Create(path); err == nil {
		of.WriteTo(f, 0)
		f.Close()
	}
}
