package debian

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	pgperrors "github.com/ProtonMail/go-crypto/openpgp/errors"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// keys are the public keys of Debian's archive; keys/README.md documents their origin.
//
//go:embed keys/*.pgp
var keys embed.FS

// ArchiveKeys returns the keys of Debian's archive in the kit, in binary form.
func ArchiveKeys() ([]byte, error) {
	files, err := keys.ReadDir("keys")
	if err != nil {
		return nil, err
	}
	var all []byte
	for _, f := range files {
		b, err := keys.ReadFile("keys/" + f.Name())
		if err != nil {
			return nil, err
		}
		all = append(all, b...)
	}
	return all, nil
}

func readKeyring(keyring []byte) (openpgp.EntityList, error) {
	list, err := openpgp.ReadKeyRing(bytes.NewReader(keyring))
	if err != nil {
		return nil, fmt.Errorf("read the trusted keys: %w", err)
	}
	return list, nil
}

// verify returns the text of a cleartext-signed message (RFC 9580 section 7), if one of its
// signatures is by a key of the keyring that was valid at the time now. It returns exactly the
// signed bytes, and nothing else.
func verify(message []byte, keyring openpgp.EntityList, now time.Time) ([]byte, error) {
	block, rest := clearsign.Decode(message)
	if block == nil {
		return nil, errors.New("it is not an OpenPGP cleartext-signed message")
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("there is data after the signature")
	}
	config := &packet.Config{Time: func() time.Time { return now }}
	signatures := packet.NewReader(block.ArmoredSignature.Body)
	var reasons []error
	for {
		p, err := signatures.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			reasons = append(reasons, fmt.Errorf("read its signatures: %w", err))
			break
		}
		s, ok := p.(*packet.Signature)
		if !ok || s.IssuerKeyId == nil {
			reasons = append(reasons, errors.New("a packet is not a signature with the id of its key"))
			continue
		}
		// Each signature is checked separately: an invalid one does not invalidate the others.
		var one bytes.Buffer
		if err := s.Serialize(&one); err != nil {
			reasons = append(reasons, fmt.Errorf("signature by key %016X: %w", *s.IssuerKeyId, err))
			continue
		}
		_, err = openpgp.CheckDetachedSignature(keyring, bytes.NewReader(block.Bytes), &one, config)
		if err == nil {
			return block.Bytes, nil
		}
		if errors.Is(err, pgperrors.ErrUnknownIssuer) {
			err = errors.New("that key is not trusted")
		}
		reasons = append(reasons, fmt.Errorf("signature by key %016X: %w", *s.IssuerKeyId, err))
	}
	if len(reasons) == 0 {
		return nil, errors.New("it has no signature")
	}
	return nil, errors.Join(reasons...)
}
