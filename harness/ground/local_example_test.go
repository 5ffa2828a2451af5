package ground_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/kadbench/kadbench/harness/ground"
)

// Three instances tell each other a number; the third is to find a sum that is too large.
func ExampleLocal() {
	sum := &ground.Case{
		Name: "sum", About: "Every instance adds up the numbers of all.", Min: 1, Max: 100, Default: 3,
		Params: []ground.Param{{Name: "most", Type: "int", Default: "10", About: "What the sum may be."}},
		Run: func(ctx context.Context, in *ground.Instance) error {
			if err := in.Sync.Publish(ctx, "numbers", in.Seq); err != nil {
				return err
			}
			total := 0
			err := in.Sync.Collect(ctx, "numbers", in.Count, func(item []byte) error {
				var n int
				_, err := fmt.Sscan(string(item), &n)
				total += n
				return err
			})
			if err != nil {
				return err
			}
			in.Out.Point("sum", float64(total))
			if err := in.Barrier(ctx, "added"); err != nil {
				return err
			}
			if in.Seq == 3 && total > in.Params.Int("most") {
				return fmt.Errorf("the sum is %d", total)
			}
			return nil
		},
	}
	out, err := os.MkdirTemp("", "ground")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(out)
	run, err := ground.Local(context.Background(), ground.Config{Case: "sum", Cases: []*ground.Case{sum}, Out: out})
	fmt.Println(err)
	for _, m := range run.Metrics("") {
		fmt.Println(m.Name, m)
	}

	_, err = ground.Local(context.Background(), ground.Config{Case: "sum", Cases: []*ground.Case{sum}, Out: out,
		Params: map[string]string{"most": "5"}})
	var failed *ground.Failure
	fmt.Println(errors.As(err, &failed), err)
	// Output:
	// <nil>
	// sum n 3, min 6, max 6
	// true instance 3 of 3 (group single): the sum is 6
}
