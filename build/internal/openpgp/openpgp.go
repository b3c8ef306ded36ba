// Package openpgp verifies OpenPGP's cleartext-signed messages, with keys in binary form. It fetches
// no keys, and trusts only those that it gets.
package openpgp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	pgperrors "github.com/ProtonMail/go-crypto/openpgp/errors"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// Keyring contains trusted keys.
type Keyring struct{ keys openpgp.EntityList }

// ReadKeyring reads keys in binary form.
func ReadKeyring(keys []byte) (Keyring, error) {
	list, err := openpgp.ReadKeyRing(bytes.NewReader(keys))
	return Keyring{list}, err
}

// Verify returns the text of a cleartext-signed message (RFC 9580 section 7), if one of its
// signatures is by a key of the keyring that was valid at the time now. It returns exactly the
// signed bytes, and nothing else.
func (k Keyring) Verify(message []byte, now time.Time) ([]byte, error) {
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
		_, err = openpgp.CheckDetachedSignature(k.keys, bytes.NewReader(block.Bytes), &one, config)
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
