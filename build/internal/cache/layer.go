package cache

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	imagespec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/thimble-build/thimble/build/internal/compress"
	"github.com/thimble-build/thimble/build/internal/filesum"
	"github.com/thimble-build/thimble/build/internal/limit"
	"github.com/thimble-build/thimble/build/plan"
)

// Layer is a compressed layer. It stays usable if its file in the cache is removed.
type Layer struct {
	about about
	file  *os.File    // stays open as long as the layer is used
	info  fs.FileInfo // of the file when its content was verified
}

// about has the facts about a layer that are kept besides its blob.
type about struct {
	Digest    v1.Hash         `json:"digest"`
	DiffID    v1.Hash         `json:"diffID"`
	Size      int64           `json:"size"`
	MediaType types.MediaType `json:"mediaType"`
}

// Digest is the hash of the compressed blob.
func (l *Layer) Digest() (v1.Hash, error) { return l.about.Digest, nil }

// DiffID is the hash of the uncompressed tar.
func (l *Layer) DiffID() (v1.Hash, error) { return l.about.DiffID, nil }

// Size of the compressed blob in bytes.
func (l *Layer) Size() (int64, error) { return l.about.Size, nil }

// MediaType is OCI's for the compression (image-spec, layer.md).
func (l *Layer) MediaType() (types.MediaType, error) { return l.about.MediaType, nil }

// Compressed reads the blob. Its end is an error if the blob does not match the digest.
func (l *Layer) Compressed() (io.ReadCloser, error) {
	return io.NopCloser(l.verified()), nil
}

func (l *Layer) verified() io.Reader {
	return filesum.Verify(io.NewSectionReader(l.file, 0, l.about.Size), l.about.Size, func() (string, error) {
		return l.about.Digest.Hex, nil
	})
}

// Uncompressed reads the tar. Its end is an error if the blob does not match the digest.
func (l *Layer) Uncompressed() (io.ReadCloser, error) {
	compression := plan.Gzip
	switch l.about.MediaType {
	case imagespec.MediaTypeImageLayerZstd:
		compression = plan.Zstd
	case imagespec.MediaTypeImageLayer:
		return l.Compressed()
	}
	blob := l.verified()
	z, err := compress.NewReader(blob, compression)
	if err != nil {
		return nil, err
	}
	return &unpacked{z, blob}, nil
}

// File is the open file of the blob. The caller must not close it.
func (l *Layer) File() *os.File { return l.file }

// Check returns an error if the file has changed since the layer was returned.
func (l *Layer) Check(ctx context.Context) error {
	return filesum.Sums{}.Check(ctx, l.file, l.info, l.about.Digest.Hex)
}

// layerFormat is part of every key. It changes with everything that changes the bytes of a
// compressed layer.
const layerFormat = "layer 3 "

// Layer returns the layer with the uncompressed tar that write writes. It comes from the cache if
// the key is known and the blob's hash is right; otherwise it is made, by one call at a time. ctx
// cancels that.
func (c *Cache) Layer(ctx context.Context, key string, compression plan.Compression,
	write func(io.Writer) error) (*Layer, error) {
	file := c.layerFile(key, compression)
	v, err, _ := c.flight.Do(file, func() (any, error) {
		if l, ok := c.known(ctx, file); ok {
			return l, nil
		}
		l, err := c.makeLayer(ctx, compression, write)
		if err != nil {
			return nil, fmt.Errorf("make a layer: %w", err)
		}
		return l, c.remember(file, l)
	})
	if err != nil {
		return nil, err
	}
	return v.(*Layer), nil
}

// LayerAhead is Layer for a key that takes time to calculate: the layer is made meanwhile, and
// dropped if the cache has it.
func (c *Cache) LayerAhead(ctx context.Context, key func() (string, error), compression plan.Compression,
	write func(io.Writer) error) (*Layer, error) {
	ctx, giveUp := context.WithCancel(ctx)
	defer giveUp()
	var made *Layer
	var makeErr error
	done := make(chan struct{})
	go func() {
		defer close(done)
		made, makeErr = c.makeLayer(ctx, compression, write)
	}()
	k, err := key()
	file := c.layerFile(k, compression)
	if err == nil {
		if l, ok := c.known(ctx, file); ok {
			giveUp()
			<-done
			if made != nil {
				made.file.Close() // it was only read
			}
			return l, nil
		}
	} else {
		giveUp()
	}
	<-done
	if err = cmp.Or(err, makeErr); err != nil {
		if made != nil {
			made.file.Close()
		}
		return nil, fmt.Errorf("make a layer: %w", err)
	}
	return made, c.remember(file, made)
}

// layerFile returns the file with the facts about the layer of a key.
func (c *Cache) layerFile(key string, compression plan.Compression) string {
	return c.path("layers", name(layerFormat+string(compression)+" "+key))
}

func (c *Cache) remember(file string, l *Layer) error {
	b, err := json.Marshal(l.about)
	if err != nil {
		return err
	}
	c.keep(file, b)
	return nil
}

// known opens a cached layer if its blob is correct.
func (c *Cache) known(ctx context.Context, file string) (*Layer, bool) {
	b, ok := c.readValue(file)
	if !ok {
		return nil, false
	}
	var a about
	if err := json.Unmarshal(b, &a); err != nil || a.Digest.Algorithm != "sha256" {
		return nil, false
	}
	return c.open(ctx, a)
}

// open opens the blob of a layer if it is correct.
func (c *Cache) open(ctx context.Context, a about) (*Layer, bool) {
	l := &Layer{about: a}
	path := c.path("blobs", a.Digest.Hex)
	var err error
	if l.file, err = os.Open(path); err != nil {
		return nil, false
	}
	touch(path)
	var sum string
	if l.info, err = l.file.Stat(); err == nil && l.info.Size() == a.Size {
		sum, err = c.Sums().Of(ctx, l.file)
	}
	if err != nil || sum != a.Digest.Hex {
		l.file.Close()
		return nil, false
	}
	return l, true
}

// makeLayer compresses into a temporary file and puts it in place. One layer is made at
// a time.
func (c *Cache) makeLayer(ctx context.Context, compression plan.Compression,
	write func(io.Writer) error) (layer *Layer, err error) {
	c.making.Lock()
	defer c.making.Unlock()
	if err := context.Cause(ctx); err != nil { // waiting may have taken long
		return nil, err
	}
	f, err := c.temporary()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name()) // Trim removes it otherwise
		}
	}()
	packed := &counter{w: f, hash: sha256.New()}
	z, err := compress.NewWriter(packed, compression)
	if err != nil {
		return nil, err
	}
	var mediaType types.MediaType = imagespec.MediaTypeImageLayerGzip
	if compression == plan.Zstd {
		mediaType = imagespec.MediaTypeImageLayerZstd
	}
	plain := sha256.New()
	err = write(limit.Writer(ctx, io.MultiWriter(plain, z)))
	if err = errors.Join(err, z.Close()); err != nil {
		return nil, err
	}
	l := &Layer{about: about{
		Digest: v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(packed.hash.Sum(nil))},
		DiffID: v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(plain.Sum(nil))},
		Size:   packed.n, MediaType: mediaType,
	}}
	return l, c.settle(l, f)
}

// temporary returns a new file to write a layer into.
func (c *Cache) temporary() (*os.File, error) {
	f, err := os.CreateTemp(c.path("tmp"), "layer-")
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(c.path("tmp"), 0o755); err == nil {
			f, err = os.CreateTemp(c.path("tmp"), "layer-")
		}
	}
	return f, err
}

// settle moves a written layer to its path by digest, and opens it.
func (c *Cache) settle(l *Layer, f *os.File) error {
	if err := f.Close(); err != nil {
		return err
	}
	path := c.path("blobs", l.about.Digest.Hex)
	if err := os.MkdirAll(c.path("blobs"), 0o755); err != nil {
		return err
	}
	if err := os.Chmod(f.Name(), 0o644); err != nil { // others may share the cache
		return err
	}
	var err error
	if l.file, err = os.Open(f.Name()); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err == nil {
		l.info, err = l.file.Stat()
	}
	if err != nil {
		l.file.Close()
		return err
	}
	// Copies of the file are made by its name, unless another run has removed it.
	if named, err := os.Open(path); err == nil {
		if info, err := named.Stat(); err == nil && os.SameFile(info, l.info) {
			l.file, named = named, l.file
		}
		named.Close() // only read
	}
	return nil
}

// counter counts and hashes what goes through it.
type counter struct {
	w    io.Writer
	hash hash.Hash
	n    int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.hash.Write(p[:n])
	c.n += int64(n)
	return n, err
}
