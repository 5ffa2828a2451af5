package target

import (
	"context"
	"sync"
)

// Journal is a list that only grows: one side adds, others read it from any place and wait for more. It is how what a
// puppet heard and what a stream received are handed to the runner: nothing is lost between two looks at it.
type Journal[T any] struct {
	mu    sync.Mutex
	items []T
	more  chan struct{} // closed and replaced at each Add
}

// Add appends an item and wakes those who wait.
func (j *Journal[T]) Add(item T) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.items = append(j.items, item)
	if j.more != nil {
		close(j.more)
		j.more = nil
	}
}

// Len is how many items there are now.
func (j *Journal[T]) Len() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.items)
}

// From returns the items from place i on. The slice is the reader's; the items are shared and must not be changed.
func (j *Journal[T]) From(i int) []T {
	j.mu.Lock()
	defer j.mu.Unlock()
	if i >= len(j.items) {
		return nil
	}
	return append([]T(nil), j.items[i:]...)
}

// At waits for the item at place i.
func (j *Journal[T]) At(ctx context.Context, i int) (T, error) {
	for {
		j.mu.Lock()
		if i < len(j.items) {
			item := j.items[i]
			j.mu.Unlock()
			return item, nil
		}
		if j.more == nil {
			j.more = make(chan struct{})
		}
		more := j.more
		j.mu.Unlock()
		select {
		case <-more:
		case <-ctx.Done():
			var none T
			return none, ctx.Err()
		}
	}
}
