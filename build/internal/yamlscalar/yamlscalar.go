// Package yamlscalar replaces string scalars in YAML without changing any other byte: comments,
// anchors, line breaks, indentation, a byte order mark and the number of documents stay as they
// are. It takes bytes and returns bytes, and knows nothing about what the scalars mean.
//
// go.yaml.in/yaml/v3 says where a scalar begins, and not where it ends. The end is found here,
// by the rules of the scalar's style (YAML 1.2, chapter 7 and 8). The result is parsed again: a
// change in any other node is an error, so a wrong end cannot go unnoticed.
package yamlscalar

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Scalar is a use of a string scalar: at its own place, or by an alias.
type Scalar struct {
	// Value is the decoded text.
	Value string
	// Key is the key whose value the scalar is; empty for keys and for members of lists.
	Key string
	// Line is the line of the use, counted from 1.
	Line int
}

// Choose returns the new value of a scalar, and whether there is one. It is called for every use,
// in the order of the text.
type Choose func(Scalar) (value string, replace bool, err error)

// ErrSyntax is the cause of the error for text that is not YAML.
var ErrSyntax = errors.New("it is not YAML")

// Replace returns src with new values for the chosen scalars, and how many scalars changed. The
// new value has the style of the old one; a scalar of several lines becomes one quoted line. A
// scalar with an anchor changes once. It is an error if Choose gives its uses different values.
func Replace(src []byte, choose Choose) (changed []byte, replaced int, err error) {
	docs, err := parse(src)
	if err != nil {
		return nil, 0, err
	}
	u := uses{of: map[*yaml.Node][]Scalar{}}
	for _, doc := range docs {
		u.add(doc, "")
	}
	values := map[*yaml.Node]string{}
	for _, node := range u.order {
		value, replace, err := decide(node, u.of[node], choose)
		if err != nil {
			return nil, 0, err
		}
		if replace {
			values[node] = value
		}
	}
	if len(values) == 0 {
		return src, 0, nil
	}
	if changed, err = edit(src, values); err != nil {
		return nil, 0, err
	}
	after, err := parse(changed)
	if err == nil {
		err = compare(docs, after, values)
	}
	if err != nil {
		return nil, 0, fmt.Errorf(
			"the text changes in another place, too: %w; write the values in quotes, each on one line", err)
	}
	return changed, len(values), nil
}

// parse returns the documents of a stream.
func parse(src []byte) (docs []*yaml.Node, err error) {
	if bytes.HasPrefix(src, []byte("\xfe\xff")) || bytes.HasPrefix(src, []byte("\xff\xfe")) {
		return nil, fmt.Errorf("%w in UTF-8: it begins with the mark of UTF-16; convert it", ErrSyntax)
	}
	d := yaml.NewDecoder(bytes.NewReader(src))
	for {
		var doc yaml.Node
		err := d.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return docs, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %s", ErrSyntax, strings.TrimPrefix(err.Error(), "yaml: "))
		}
		docs = append(docs, &doc)
	}
}

// uses are the uses of the string scalars of a stream.
type uses struct {
	order []*yaml.Node
	of    map[*yaml.Node][]Scalar
}

// add adds the uses in a node, which is the value of a key, if it is not empty.
func (u *uses) add(node *yaml.Node, key string) {
	switch node.Kind {
	case yaml.DocumentNode, yaml.SequenceNode:
		for _, n := range node.Content {
			u.add(n, "")
		}
	case yaml.MappingNode:
		for pair := range slices.Chunk(node.Content, 2) {
			u.add(pair[0], "")
			u.add(pair[1], keyOf(pair[0]))
		}
	case yaml.AliasNode:
		u.use(node.Alias, key, node.Line)
	case yaml.ScalarNode:
		u.use(node, key, node.Line)
	}
}

func (u *uses) use(node *yaml.Node, key string, line int) {
	if node.Kind != yaml.ScalarNode || node.ShortTag() != "!!str" {
		return
	}
	if len(u.of[node]) == 0 {
		u.order = append(u.order, node)
	}
	u.of[node] = append(u.of[node], Scalar{Value: node.Value, Key: key, Line: line})
}

// keyOf returns the text of a key; empty for a key that is no scalar.
func keyOf(node *yaml.Node) string {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	if node.Kind != yaml.ScalarNode {
		return ""
	}
	return node.Value
}

// decide asks for the new value of a scalar, which must be the same for all its uses.
func decide(node *yaml.Node, uses []Scalar, choose Choose) (value string, replace bool, err error) {
	for i, s := range uses {
		v, r, err := choose(s)
		if err != nil {
			return "", false, fmt.Errorf("line %d: %w", s.Line, err)
		}
		if !r || v == s.Value { // it may have been replaced before
			v, r = "", false
		}
		if i > 0 && (r != replace || v != value) {
			return "", false, fmt.Errorf(
				"line %d: *%s is %q here and in line %d, but only one of the two changes; write out the "+
					"value of one",
				s.Line, node.Anchor, node.Value, uses[0].Line)
		}
		value, replace = v, r
	}
	return value, replace, nil
}
