package describe

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// canonical returns one JSON value in the canonical form of predicates: UTF-8, the keys of
// every object sorted, no space between tokens, no HTML escapes, numbers unchanged, and no final
// newline. Data after the value is an error.
func canonical(document []byte) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(document))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is data after the JSON value")
	}
	return canonicalValue(v)
}

// canonicalValue returns a value's JSON without HTML escapes and final newline.
func canonicalValue(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// predicateJSON returns a predicate's JSON in canonical form.
func predicateJSON(v any) ([]byte, error) {
	b, err := canonicalValue(v)
	if err != nil {
		return nil, err
	}
	return canonical(b)
}
