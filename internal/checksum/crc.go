package checksum

import (
	"encoding/base64"
	"encoding/binary"
	"strconv"

	"twinbucket/object"
)

// crc64Poly is the NVMe polynomial, reflected.
const crc64Poly = 0x9a6c9329ac4bc9b5

// crc combines the CRCs of a body's parts into that of the whole. The bodies
// themselves are not read again: CRC(a+b) follows from CRC(a), CRC(b) and the
// length of b.
type crc struct {
	bits uint
	poly uint64 // reflected
}

// multiply multiplies two polynomials modulo the CRC's own; in the reflected
// form the highest bit is the constant term.
func (c *crc) multiply(a, b uint64) uint64 {
	var product uint64
	for bit := uint64(1) << (c.bits - 1); bit != 0; bit >>= 1 {
		if a&bit != 0 {
			product ^= b
		}
		low := b & 1
		b >>= 1
		if low != 0 {
			b ^= c.poly
		}
	}
	return product
}

// shift returns x to the power of 8n: what appending n bytes multiplies by.
func (c *crc) shift(n int64) uint64 {
	result := uint64(1) << (c.bits - 1) // 1
	square := uint64(1) << (c.bits - 2) // x
	for e := uint64(n) * 8; e != 0; e >>= 1 {
		if e&1 != 0 {
			result = c.multiply(result, square)
		}
		square = c.multiply(square, square)
	}
	return result
}

// combine returns the CRC of a+b, where b has n bytes.
func (c *crc) combine(a, b uint64, n int64) uint64 {
	return c.multiply(c.shift(n), a) ^ b
}

// whole returns the checksum of the object that parts make up, false if one of
// them lacks a's checksum.
func (a *Algorithm) whole(parts []object.Part) (object.Checksum, bool) {
	var total uint64
	for i := range parts {
		v, ok := a.partValue(&parts[i])
		if !ok {
			return object.Checksum{}, false
		}
		total = a.crc.combine(total, number(v), parts[i].Size)
	}
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], total)
	return object.Checksum{Algorithm: a.Name, Value: base64.StdEncoding.EncodeToString(b[8-a.size:])}, true
}

// composite returns the checksum of the parts' checksums.
func (a *Algorithm) composite(parts []object.Part) (object.Checksum, bool) {
	h := a.New()
	defer a.Free(h)
	for i := range parts {
		v, ok := a.partValue(&parts[i])
		if !ok {
			return object.Checksum{}, false
		}
		h.Write(v)
	}
	value := base64.StdEncoding.EncodeToString(h.Sum(nil)) + "-" + strconv.Itoa(len(parts))
	return object.Checksum{Algorithm: a.Name, Value: value, Composite: true}, true
}

// partValue returns a's checksum of a part.
func (a *Algorithm) partValue(p *object.Part) ([]byte, bool) {
	for i := range p.Checksums {
		if p.Checksums[i].Algorithm == a.Name {
			v, err := a.Decode(p.Checksums[i].Value)
			return v, err == nil
		}
	}
	return nil, false
}

func number(b []byte) uint64 {
	var n uint64
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	return n
}
