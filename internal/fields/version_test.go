package fields

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"

	"twinbucket/acl"
	"twinbucket/fault"
	"twinbucket/object"
)

// filled sets everything in v to something, no two alike where they can differ.
func filled(v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprint("value", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Uint8, reflect.Uint64:
		v.SetUint(uint64(*n))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		filled(v.Index(0), n)
		filled(v.Index(1), n)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range 3 {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			filled(key, n)
			filled(value, n)
			v.SetMapIndex(key, value)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Unix(int64(*n), 5).UTC()))
			return
		}
		for i := range v.NumField() {
			filled(v.Field(i), n)
		}
	default:
		panic("a version has a field of a kind that this test does not know: " + v.Kind().String())
	}
}

// TestVersions writes versions and reads them back. The one with everything
// fails when a field is forgotten.
func TestVersions(t *testing.T) {
	t.Parallel()
	var all object.Version
	filled(reflect.ValueOf(&all).Elem(), new(int))
	all.Lock.Released = false // a hold is on or was taken off
	released := all
	released.Lock.Hold, released.Lock.Released = false, true
	unheld := all
	unheld.Lock.Hold = false
	for name, v := range map[string]object.Version{
		"empty":          {},
		"everything":     all,
		"a hold is off":  released,
		"no hold":        unheld,
		"a private list": {ACL: acl.List{}},
	} {
		var w Writer
		w.Version(&v)
		var got object.Version
		if err := Each(w.Encoded(), func(f Field) error { return ReadVersion(&got, f) }); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(v, got); diff != "" {
			t.Errorf("%s: written, and read: %s", name, diff)
		}
	}
}

// TestWhatIsUnknownIsSkipped reads a version with fields of every wire type
// that a later program might write.
func TestWhatIsUnknownIsSkipped(t *testing.T) {
	t.Parallel()
	b := protowire.AppendTag(nil, 900, protowire.Fixed64Type)
	b = protowire.AppendFixed64(b, 7)
	b = protowire.AppendTag(b, 901, protowire.Fixed32Type)
	b = protowire.AppendFixed32(b, 7)
	w := Writer{b}
	w.Uint(902, 7)
	w.Text(903, "x")
	w.Text(Key, "k")
	var got object.Version
	if err := Each(w.Encoded(), func(f Field) error { return ReadVersion(&got, f) }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(object.Version{Key: "k"}, got); diff != "" {
		t.Error(diff)
	}
}

// TestCutMessagesAreDamaged cuts a message everywhere but between two fields.
func TestCutMessagesAreDamaged(t *testing.T) {
	t.Parallel()
	var w Writer
	whole := map[int]bool{0: true}
	for i := range Number(4) {
		w.Text(i+1, "some text")
		whole[len(w.Encoded())] = true
		w.Uint(i+10, 1<<40)
		whole[len(w.Encoded())] = true
	}
	for n := range len(w.Encoded()) {
		err := Each(w.Encoded()[:n], func(Field) error { return nil })
		if (err == nil) != whole[n] || err != nil && !errors.Is(err, fault.Damaged) {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
}
