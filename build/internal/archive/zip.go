package archive

import (
	"archive/zip"
	"compress/flate"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"time"

	fast "github.com/klauspost/compress/flate"
)

// Zip writes a zip file. Its times are in UTC and only in the DOS format, which begins in 1980
// and has steps of two seconds.
func Zip(ctx context.Context, w io.Writer, in Input) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("write archive %s: %w", in.Folder, err)
		}
	}()
	z := zip.NewWriter(w)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) {
		return fast.NewWriter(w, flate.DefaultCompression)
	})
	date, clock := dos(in.Modified)
	err = each(ctx, in, func(e Entry, _ int64) (io.Writer, error) {
		h := &zip.FileHeader{Name: path.Join(in.Folder, e.Name), Method: zip.Deflate}
		h.SetMode(mode(e))
		// Modified would add an extended timestamp.
		h.ModifiedDate, h.ModifiedTime = date, clock //lint:ignore SA1019 there is no other way
		return z.CreateHeader(h)
	})
	return errors.Join(err, z.Close())
}

// dos returns a time in the MS-DOS format of a zip file (APPNOTE 4.4.6).
func dos(t time.Time) (date, clock uint16) {
	t = t.UTC()
	if first := time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC); t.Before(first) {
		t = first
	}
	if last := time.Date(2107, 12, 31, 23, 59, 58, 0, time.UTC); t.After(last) {
		t = last
	}
	date = uint16(t.Year()-1980)<<9 | uint16(t.Month())<<5 | uint16(t.Day())
	clock = uint16(t.Hour())<<11 | uint16(t.Minute())<<5 | uint16(t.Second()/2)
	return date, clock
}
