package compare

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/thimble-build/thimble/build/internal/limit"
)

// field is a difference of two JSON documents, with its path and both values.
type field struct{ path, a, b string }

// jsonDifferences returns the first differences of two JSON documents, in the order of sorted
// keys, at most most. White space and the order of keys are ignored.
func jsonDifferences(a, b []byte, most int) ([]field, error) {
	x, err := decode(a)
	if err != nil {
		return nil, err
	}
	y, err := decode(b)
	if err != nil {
		return nil, err
	}
	w := &walk{most: most}
	w.values("", x, y)
	return w.fields, nil
}

// maxParts limits the values of a document: an SBOM of 5,000 files has about 60,000.
const maxParts = 200_000

func decode(document []byte) (any, error) {
	if err := limit.Parts(document, maxParts); err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(document))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("not JSON: there is data after the value")
	}
	return v, nil
}

type walk struct {
	most   int
	fields []field
}

func (w *walk) values(path string, a, b any) {
	if len(w.fields) >= w.most {
		return
	}
	switch x := a.(type) {
	case map[string]any:
		if y, ok := b.(map[string]any); ok {
			w.objects(path, x, y)
			return
		}
	case []any:
		if y, ok := b.([]any); ok {
			w.lists(path, x, y)
			return
		}
	default:
		if a == b && !isContainer(b) {
			return
		}
	}
	w.fields = append(w.fields, field{path, show(a), show(b)})
}

func isContainer(v any) bool {
	switch v.(type) {
	case map[string]any, []any:
		return true
	}
	return false
}

func (w *walk) objects(path string, a, b map[string]any) {
	keys := slices.Collect(maps.Keys(a))
	for k := range b {
		if _, ok := a[k]; !ok {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	for _, k := range keys {
		x, inA := a[k]
		y, inB := b[k]
		w.entry(path+"/"+escape(k), x, y, inA, inB)
	}
}

// entry compares the values of one key, or of one name.
func (w *walk) entry(path string, x, y any, inA, inB bool) {
	switch {
	case inA && inB:
		w.values(path, x, y)
	case len(w.fields) >= w.most:
	case inA:
		w.fields = append(w.fields, field{path, show(x), none})
	default:
		w.fields = append(w.fields, field{path, none, show(y)})
	}
}

// identifiers are the keys that identify the elements of lists in documents.
var identifiers = []string{"SPDXID", "bom-ref", "name"}

// lists compares named elements by name, lists of the same length by index, and all others as a
// whole.
func (w *walk) lists(path string, a, b []any) {
	for _, key := range identifiers {
		x, orderX, okX := byName(a, key)
		y, orderY, okY := byName(b, key)
		if !okX || !okY {
			continue
		}
		before := len(w.fields)
		w.objects(path, x, y)
		if len(w.fields) == before && !slices.Equal(orderX, orderY) && before < w.most {
			w.fields = append(w.fields, field{path, "in the order " + short(strings.Join(orderX, ", ")),
				"in the order " + short(strings.Join(orderY, ", "))})
		}
		return
	}
	if len(a) != len(b) || !slices.ContainsFunc(a, isContainer) {
		if !equal(a, b) && len(w.fields) < w.most {
			w.fields = append(w.fields, field{path, show(a), show(b)})
		}
		return
	}
	for i := range a {
		w.values(path+"/"+strconv.Itoa(i), a[i], b[i])
	}
}

// byName returns the elements of a list by the value of one of their keys; ok is false if that
// does not identify each of them.
func byName(list []any, key string) (elements map[string]any, order []string, ok bool) {
	elements = map[string]any{}
	for _, e := range list {
		object, isObject := e.(map[string]any)
		if !isObject {
			return nil, nil, false
		}
		id, isString := object[key].(string)
		if _, twice := elements[id]; !isString || twice {
			return nil, nil, false
		}
		elements[id] = object
		order = append(order, id)
	}
	return elements, order, len(list) > 0
}

func equal(a, b any) bool {
	w := &walk{most: 1}
	switch x := a.(type) {
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for i := range x {
			w.values("", x[i], y[i])
		}
	default:
		w.values("", a, b)
	}
	return len(w.fields) == 0
}

// escape returns a reference token of RFC 6901.
func escape(key string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
}

// show returns a JSON value in one short line.
func show(v any) string {
	if s, ok := v.(string); ok && s != "" && s != none {
		return short(s)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "?"
	}
	return short(strings.TrimSuffix(b.String(), "\n"))
}
