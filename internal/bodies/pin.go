package bodies

import "sync"

// pins are the files that open readers need. A file that no body uses any more
// is removed when its last reader closes; what a crash leaves is an orphan at
// the next Sweep.
type pins struct {
	mu      sync.Mutex
	readers map[uint64]int
	unused  map[uint64]bool // to be removed by the last reader
}

// pin keeps the files of a body until they are given to unpin.
func (p *pins) pin(body Body) (files []uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, e := range body {
		if e.File == 0 || i > 0 && body[i-1].File == e.File {
			continue
		}
		if p.readers == nil {
			p.readers, p.unused = make(map[uint64]int), make(map[uint64]bool)
		}
		p.readers[e.File]++
		files = append(files, e.File)
	}
	return files
}

// unpin lets go of files and returns those that are to be removed now.
func (p *pins) unpin(files []uint64) (unused []uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range files {
		if p.readers[id]--; p.readers[id] > 0 {
			continue
		}
		delete(p.readers, id)
		if p.unused[id] {
			delete(p.unused, id)
			unused = append(unused, id)
		}
	}
	return unused
}

// removable returns those of some unused files that nobody reads; the others
// are left to their readers.
func (p *pins) removable(files []uint64) []uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.readers) == 0 {
		return files
	}
	var now []uint64
	for _, id := range files {
		if p.readers[id] > 0 {
			p.unused[id] = true
		} else {
			now = append(now, id)
		}
	}
	return now
}
