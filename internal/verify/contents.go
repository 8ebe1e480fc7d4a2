package verify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"twinbucket/client"
	"twinbucket/fault"
	"twinbucket/internal/compare"
)

// contents compares the bytes, if they are to be read, and the parts, if the
// ETags do not tell.
func (r *run) contents(ctx context.Context, src, dst *facts, diffs []compare.Difference, proven bool) ([]compare.Difference, bool, error) {
	if r.Depth == Bytes && src.headed && dst.headed && !r.skip[compare.Bytes] {
		d, read, err := r.bytes(ctx, src, dst)
		if err != nil {
			return nil, false, err
		}
		if read {
			proven = true
			diffs = slices.DeleteFunc(diffs, func(d compare.Difference) bool { return d.Aspect == compare.Bytes })
			for i := range diffs {
				if diffs[i].Aspect == compare.ETag && d == nil {
					diffs[i].Aspect = compare.Parts
				}
			}
			if d != nil {
				diffs = append(diffs, *d)
			}
		}
	}
	if r.Depth != List && !r.skip[compare.Parts] && src.ETag != dst.ETag && src.headed && dst.headed &&
		strings.Contains(src.ETag, "-") && strings.Contains(dst.ETag, "-") {
		d, err := r.parts(ctx, src, dst)
		if err != nil {
			return nil, false, err
		}
		if d != nil && !slices.ContainsFunc(diffs, func(d compare.Difference) bool { return d.Aspect == compare.Parts }) {
			diffs = append(diffs, *d)
		}
	}
	return diffs, proven, nil
}

// parts compares how two multipart objects were put together.
func (r *run) parts(ctx context.Context, src, dst *facts) (*compare.Difference, error) {
	var told [2]string
	for i, s := range []struct {
		*place
		*facts
	}{{r.src, src}, {r.dst, dst}} {
		a, err := s.client.GetObjectAttributes(ctx, s.place.Name, s.Key, s.ID)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			s.miss(gapOf(s.place.Name, "s3:GetObjectVersionAttributes", err), compare.Parts)
			return nil, nil
		}
		told[i] = layout(a)
	}
	if told[0] == told[1] {
		return nil, nil
	}
	return &compare.Difference{Aspect: compare.Parts, Source: told[0], Destination: told[1]}, nil
}

// layout says in words how an object was put together.
func layout(a *client.Attributes) string {
	text := fmt.Sprintf("%d parts", a.PartsCount)
	for i, p := range a.Parts {
		if i == 0 || p.Size != a.Parts[i-1].Size {
			text += fmt.Sprintf(", from part %d on %d bytes each", p.Number, p.Size)
		}
	}
	return text
}

// bytes reads both bodies side by side; read is false if one cannot be read, of
// which the gaps then tell.
func (r *run) bytes(ctx context.Context, src, dst *facts) (d *compare.Difference, read bool, err error) {
	var bodies [2]io.ReadCloser
	for i, s := range []struct {
		*place
		*facts
	}{{r.src, src}, {r.dst, dst}} {
		o, err := s.client.GetObject(ctx, s.place.Name, s.Key, client.Get{VersionID: s.ID})
		if err != nil {
			s.miss(gapOf(s.place.Name, "s3:GetObjectVersion", err))
			break
		}
		bodies[i] = o.Body
		defer o.Body.Close()
	}
	if ctx.Err() != nil {
		return nil, false, ctx.Err()
	}
	if bodies[0] == nil || bodies[1] == nil {
		return nil, false, nil
	}
	at, err := firstDifference(bodies[0], bodies[1])
	switch {
	case ctx.Err() != nil:
		return nil, false, ctx.Err()
	case err != nil && errors.Is(err, fault.Damaged):
		return &compare.Difference{Aspect: compare.Bytes, Source: "as its checksum says", Destination: err.Error()}, true, nil
	case err != nil:
		src.miss(gapOf(r.src.Name, "reading both", err))
		return nil, false, nil
	case at < 0:
		return nil, true, nil
	}
	return &compare.Difference{Aspect: compare.Bytes, Source: "the same up to byte " + fmt.Sprint(at), Destination: "another from there on"}, true, nil
}

// firstDifference returns the offset of the first byte in which a and b differ,
// -1 if there is none.
func firstDifference(a, b io.Reader) (int64, error) {
	var x, y [64 << 10]byte
	for at := int64(0); ; {
		n, aerr := io.ReadFull(a, x[:])
		m, berr := io.ReadFull(b, y[:])
		if !bytes.Equal(x[:n], y[:m]) {
			i := 0
			for i < min(n, m) && x[i] == y[i] {
				i++
			}
			return at + int64(i), nil
		}
		at += int64(n)
		for _, err := range []error{aerr, berr} {
			if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
				return 0, err
			}
		}
		if aerr != nil || berr != nil {
			return -1, nil
		}
	}
}
