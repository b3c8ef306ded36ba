package sbom

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// namespaceURL is the UUID of RFC 9562 appendix A for names that are URLs.
var namespaceURL = [16]byte{
	0x6b, 0xa7, 0xb8, 0x11, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8,
}

// contentUUID returns a name-based UUID (RFC 9562 section 5.5) of a document's content. The name
// is a URL below the kit's, which ends in the content's SHA-256.
func contentUUID(kind string, content []byte) string {
	sum := sha256.Sum256(content)
	h := sha1.New()
	h.Write(namespaceURL[:])
	h.Write([]byte("https://" + kitPath + "/" + kind + "/" + hex.EncodeToString(sum[:])))
	id := h.Sum(nil)[:16]
	id[6] = id[6]&0x0f | 0x50 // version 5
	id[8] = id[8]&0x3f | 0x80 // variant
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}

// unidentified replaces a document's UUID while the document is written.
const unidentified = "00000000-0000-0000-0000-000000000000"

// identify sets a document's UUID, which is derived from its content.
func identify(kind string, content []byte) []byte {
	return bytes.Replace(content, []byte(unidentified), []byte(contentUUID(kind, content)), 1)
}

// elementID returns a valid SPDX element identifier (clause 7.2: letters, digits, "." and "-")
// that is unique for the name.
func elementID(kind, name string) string {
	sum := sha256.Sum256([]byte(name))
	safe := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' {
			return r
		}
		return '-'
	}, name)
	return kind + "-" + strings.Trim(safe, "-") + "-" + hex.EncodeToString(sum[:4])
}
