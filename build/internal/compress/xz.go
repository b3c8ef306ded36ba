package compress

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"

	"github.com/ulikunitz/xz/lzma"
)

const (
	// maxDictionary bounds the dictionary of a block of xz, in bytes: no preset of xz needs more.
	maxDictionary = 64 << 20
	// maxDictionaries bounds the dictionaries of all blocks together, in bytes, since each is
	// allocated again; a small one counts as minDictionary. Blocks of xz -9 with this total have
	// 12 GiB of content.
	maxDictionaries = 4 << 30
	minDictionary   = 512 << 10
)

// NewXZReader reads xz, which need not be trusted (the .xz file format 1.2.0): all its streams
// and blocks, with LZMA2 as the only filter. ulikunitz/xz decodes LZMA2. The container is read
// here, because each block says how much memory it needs, and that library allocates it without a
// limit. A check before the library cannot find all the headers that it reads, since the library
// does not skip the unread data of a chunk.
func NewXZReader(r io.Reader) (io.Reader, error) {
	x := &xzReader{in: &xzInput{b: bufio.NewReaderSize(r, 64<<10)}}
	if err := x.stream(); err != nil {
		return nil, xzError(err)
	}
	return x, nil
}

type xzReader struct {
	in    *xzInput
	err   error
	total int64 // of dictionaries

	flags   [2]byte // of the stream
	newHash func() hash.Hash
	blocks  blockList

	content    io.Reader // of the block; nil between blocks
	sum        hash.Hash // of the content
	header     int64     // bytes of the block's header
	began      int64     // the offset of its data
	unpacked   int64     // bytes of content so far
	packedIs   int64     // from the header; -1 if it is not there
	unpackedIs int64
}

func (x *xzReader) Read(p []byte) (int, error) {
	for x.err == nil && len(p) > 0 {
		if x.content == nil {
			x.err = xzError(x.next())
			continue
		}
		n, err := x.content.Read(p)
		x.sum.Write(p[:n])
		x.unpacked += int64(n)
		switch {
		case x.unpackedIs >= 0 && x.unpacked > x.unpackedIs:
			err = errors.New("a block has more content than its header says")
		case err == io.EOF:
			x.content = nil
			if err = x.end(); err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
		}
		x.err = xzError(err)
		if n > 0 {
			return n, nil
		}
	}
	return 0, x.err
}

// xzError returns io.EOF and io.ErrUnexpectedEOF unchanged.
func xzError(err error) error {
	if err == nil || err == io.EOF || err == io.ErrUnexpectedEOF {
		return err
	}
	return fmt.Errorf("read xz: %w", err)
}

// stream reads a stream's header (2.1.1).
func (x *xzReader) stream() error {
	head, err := x.in.take(12)
	if err != nil {
		return err
	}
	if !bytes.Equal(head[:6], []byte("\xfd7zXZ\x00")) ||
		crc32.ChecksumIEEE(head[6:8]) != binary.LittleEndian.Uint32(head[8:]) {
		return errors.New("it has no header of a stream")
	}
	x.flags, x.blocks = [2]byte(head[6:8]), newBlockList()
	switch {
	case head[6] != 0:
	case head[7] == 0:
		x.newHash = func() hash.Hash { return noCheck{} }
		return nil
	case head[7] == 1:
		x.newHash = func() hash.Hash { return reversed{crc32.NewIEEE()} }
		return nil
	case head[7] == 4:
		x.newHash = func() hash.Hash { return reversed{crc64.New(crc64.MakeTable(crc64.ECMA))} }
		return nil
	case head[7] == 10:
		x.newHash = sha256.New
		return nil
	}
	return errors.New("its check is of an unknown kind")
}

// next opens the next block, or returns io.EOF after the last stream.
func (x *xzReader) next() error {
	size, err := x.in.ReadByte()
	if err != nil {
		return unexpected(err)
	}
	if size != 0 {
		return unexpected(x.block(size))
	}
	if err := x.index(); err != nil {
		return unexpected(err)
	}
	for { // padding (2.2), and another stream
		head, err := x.in.b.Peek(4)
		if len(head) == 0 {
			return err
		}
		if !bytes.Equal(head, make([]byte, 4)) {
			return unexpected(x.stream())
		}
		if _, err := x.in.take(4); err != nil {
			return err
		}
	}
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// block reads a block's header (3.1); size is its first byte.
func (x *xzReader) block(size byte) error {
	x.header = (int64(size) + 1) * 4
	rest, err := x.in.take(int(x.header) - 1)
	if err != nil {
		return err
	}
	head := append([]byte{size}, rest...)
	fields, sum := head[2:len(head)-4], head[len(head)-4:]
	if crc32.ChecksumIEEE(head[:len(head)-4]) != binary.LittleEndian.Uint32(sum) {
		return errors.New("the header of a block is damaged")
	}
	flags := head[1]
	for _, field := range []struct {
		flag byte
		to   *int64
	}{{0x40, &x.packedIs}, {0x80, &x.unpackedIs}} {
		*field.to = -1
		if flags&field.flag != 0 {
			if *field.to, fields, err = number(fields); err != nil {
				return err
			}
		}
	}
	// The filters: only LZMA2, with one byte of properties (5.3.1).
	if flags&0x3f != 0 || len(fields) < 3 || fields[0] != 0x21 || fields[1] != 1 ||
		len(bytes.Trim(fields[3:], "\x00")) > 0 {
		return errors.New("a block has another filter than LZMA2")
	}
	bits := fields[2]
	dictionary := int64(2|bits&1) << (bits/2 + 11)
	if bits > 40 || dictionary > maxDictionary {
		return fmt.Errorf("a block needs a dictionary of more than %d MiB", maxDictionary>>20)
	}
	if x.total += max(dictionary, minDictionary); x.total > maxDictionaries {
		return fmt.Errorf("the dictionaries of its blocks come to more than %d GiB", maxDictionaries>>30)
	}
	x.began, x.unpacked, x.sum = x.in.n, 0, x.newHash()
	x.content, err = lzma.Reader2Config{DictCap: int(dictionary)}.NewReader2(x.in)
	return err
}

// end reads the fields after the data of a block (3.3, 3.4).
func (x *xzReader) end() error {
	packed := x.in.n - x.began
	if x.packedIs >= 0 && packed != x.packedIs || x.unpackedIs >= 0 && x.unpacked != x.unpackedIs {
		return errors.New("a block has another size than its header says")
	}
	padding, err := x.in.take(int(-packed & 3))
	if err != nil {
		return err
	}
	check, err := x.in.take(x.sum.Size())
	if err != nil {
		return err
	}
	if len(bytes.Trim(padding, "\x00")) > 0 || !bytes.Equal(check, x.sum.Sum(nil)) {
		return errors.New("a block is damaged")
	}
	x.blocks.add(x.header+packed+int64(len(check)), x.unpacked)
	return nil
}

// index reads the list of blocks (4), after its first byte, and the stream's footer (2.1.2).
func (x *xzReader) index() error {
	began := x.in.n - 1
	sum := crc32.NewIEEE()
	sum.Write([]byte{0})
	x.in.seen = sum
	defer func() { x.in.seen = nil }()
	count, err := x.in.number()
	if err != nil {
		return err
	}
	if count != x.blocks.count {
		return errors.New("its index lists other blocks")
	}
	listed := newBlockList()
	for range count {
		size, err := x.in.number()
		if err != nil {
			return err
		}
		content, err := x.in.number()
		if err != nil {
			return err
		}
		listed.add(size, content)
	}
	padding, err := x.in.take(int(-(x.in.n - began) & 3))
	if err != nil {
		return err
	}
	x.in.seen = nil
	rest, err := x.in.take(4 + 12)
	if err != nil {
		return err
	}
	size := x.in.n - began - 12
	foot := rest[4:]
	if len(bytes.Trim(padding, "\x00")) > 0 || sum.Sum32() != binary.LittleEndian.Uint32(rest) ||
		!bytes.Equal(listed.hash.Sum(nil), x.blocks.hash.Sum(nil)) {
		return errors.New("its index is damaged")
	}
	if crc32.ChecksumIEEE(foot[4:10]) != binary.LittleEndian.Uint32(foot) || string(foot[10:]) != "YZ" ||
		[2]byte(foot[8:10]) != x.flags || (int64(binary.LittleEndian.Uint32(foot[4:]))+1)*4 != size {
		return errors.New("the footer of a stream is damaged")
	}
	return nil
}

// xzInput counts the bytes that are read, and reads none too many.
type xzInput struct {
	b    *bufio.Reader
	n    int64
	seen io.Writer // gets a copy; may be nil
}

func (i *xzInput) Read(p []byte) (int, error) {
	n, err := i.b.Read(p)
	i.n += int64(n)
	return n, err
}

func (i *xzInput) ReadByte() (byte, error) {
	c, err := i.b.ReadByte()
	if err == nil {
		i.n++
	}
	return c, err
}

// take reads n bytes; n is small.
func (i *xzInput) take(n int) ([]byte, error) {
	b := make([]byte, n)
	_, err := io.ReadFull(i, b)
	if err == nil && i.seen != nil {
		_, err = i.seen.Write(b)
	}
	return b, err
}

// number reads a variable-length integer (1.2).
func (i *xzInput) number() (int64, error) {
	var b []byte
	for {
		one, err := i.take(1)
		if err != nil {
			return 0, err
		}
		if b = append(b, one[0]); one[0]&0x80 == 0 || len(b) == 9 {
			v, _, err := number(b)
			return v, err
		}
	}
}

// number decodes a number, and returns the bytes after it.
func number(b []byte) (int64, []byte, error) {
	var v int64
	for i := range min(len(b), 9) {
		v |= int64(b[i]&0x7f) << (7 * i)
		if b[i]&0x80 == 0 {
			return v, b[i+1:], nil
		}
	}
	return 0, nil, errors.New("it has a broken number")
}

// blockList represents the sizes of blocks, in order, in a few bytes.
type blockList struct {
	count int64
	hash  hash.Hash
}

func newBlockList() blockList { return blockList{hash: sha256.New()} }

func (l *blockList) add(unpadded, content int64) {
	l.count++
	_ = binary.Write(l.hash, binary.LittleEndian, [2]int64{unpadded, content}) // a hash takes all
}

// reversed is a CRC in the byte order of xz.
type reversed struct{ hash.Hash }

func (r reversed) Sum(b []byte) []byte {
	sum := r.Hash.Sum(nil)
	for i := range sum {
		b = append(b, sum[len(sum)-1-i])
	}
	return b
}

// noCheck is the hash of a stream without a check.
type noCheck struct{}

func (noCheck) Write(p []byte) (int, error) { return len(p), nil }
func (noCheck) Sum(b []byte) []byte         { return b }
func (noCheck) Reset()                      {}
func (noCheck) Size() int                   { return 0 }
func (noCheck) BlockSize() int              { return 1 }
