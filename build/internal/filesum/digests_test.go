package filesum_test

import (
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/thimble-build/thimble/build/internal/filesum"
)

// The digests are those of sha1sum, sha256sum and sha512sum.
func TestReadDigests(t *testing.T) {
	d, size, err := filesum.ReadDigests(iotest.OneByteReader(strings.NewReader("abc")))
	want := filesum.Digests{
		SHA1:   "a9993e364706816aba3e25717850c26c9cd0d89d",
		SHA256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		SHA512: "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
	}
	if d != want || size != 3 || err != nil {
		t.Errorf("%+v, %d, %v", d, size, err)
	}
	why := errors.New("why")
	if d, _, err := filesum.ReadDigests(iotest.ErrReader(why)); d != (filesum.Digests{}) || !errors.Is(err, why) {
		t.Errorf("%+v, %v", d, err)
	}
}
