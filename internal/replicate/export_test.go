package replicate

import (
	"twinbucket/internal/store"
	"twinbucket/object"
)

// Plan plans the deliveries of a version that wait, as a worker does.
func (e *Engine) Plan(o *store.Object) (todo []store.Delivery) {
	for _, d := range o.Deliveries {
		if d.Status == object.Pending {
			todo = append(todo, e.deliver(o, d))
		}
	}
	return todo
}

// Kinds are the failure codes that occur.
var Kinds = kinds
