package kad

// slab holds items by number and knows which is due first. The numbers of removed items are used again, the last one
// first; the due ones stand in a binary heap, and each item knows its place in it.
type slab[T any] struct {
	items []slabItem[T]
	free  []int32
	heap  []int32
}

// slabItem knows where it stands in the heap, so that its time can be changed without a search.
type slabItem[T any] struct {
	value T
	due   Time
	place int32 // in the heap, from 1; 0: not due
}

// at is the value of an item. The pointer is good until the next add.
func (s *slab[T]) at(i int32) *T { return &s.items[i].value }

// add makes an item that is never due.
func (s *slab[T]) add() int32 {
	if n := len(s.free); n > 0 {
		i := s.free[n-1]
		s.free = s.free[:n-1]
		return i
	}
	s.items = append(s.items, slabItem[T]{})
	return int32(len(s.items) - 1)
}

// remove clears an item, so that nothing behind it is kept, and frees its number.
func (s *slab[T]) remove(i int32) {
	s.due(i, 0)
	s.items[i] = slabItem[T]{}
	s.free = append(s.free, i)
}

// next is when the first item is due, 0 if none ever is; first is that item.
func (s *slab[T]) next() Time {
	if len(s.heap) == 0 {
		return 0
	}
	return s.items[s.heap[0]].due
}

// first must not be asked when next is 0.
func (s *slab[T]) first() int32 { return s.heap[0] }

// due sets when an item is due; 0: never. It costs log2 of the number of due items: ten swaps for 1024.
func (s *slab[T]) due(i int32, at Time) {
	it := &s.items[i]
	it.due = at
	switch {
	case at == 0 && it.place == 0:
		return
	case at == 0: // out of the heap: the last one takes its place and moves to where it belongs
		h, last := int(it.place-1), len(s.heap)-1
		s.swap(h, last)
		s.heap = s.heap[:last]
		it.place = 0
		if h < last {
			s.settle(h)
		}
	case it.place == 0:
		s.heap = append(s.heap, i)
		it.place = int32(len(s.heap))
		s.settle(len(s.heap) - 1)
	default:
		s.settle(int(it.place - 1))
	}
}

// settle moves the item at place h up or down to where it belongs.
func (s *slab[T]) settle(h int) {
	for h > 0 && s.before(h, (h-1)/2) {
		s.swap(h, (h-1)/2)
		h = (h - 1) / 2
	}
	for {
		c := 2*h + 1
		if c+1 < len(s.heap) && s.before(c+1, c) {
			c++
		}
		if c >= len(s.heap) || !s.before(c, h) {
			return
		}
		s.swap(h, c)
		h = c
	}
}

// before orders by time and then by number, so that the order depends on nothing else.
func (s *slab[T]) before(a, b int) bool {
	i, j := s.heap[a], s.heap[b]
	if s.items[i].due != s.items[j].due {
		return s.items[i].due < s.items[j].due
	}
	return i < j
}

// swap keeps each item's place in step with the heap.
func (s *slab[T]) swap(a, b int) {
	s.heap[a], s.heap[b] = s.heap[b], s.heap[a]
	s.items[s.heap[a]].place = int32(a + 1)
	s.items[s.heap[b]].place = int32(b + 1)
}
