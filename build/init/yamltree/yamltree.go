// Package yamltree reads YAML as nodes with line numbers, for the files that init imports.
package yamltree

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Entry is a key and its value in a mapping, or an element of a list (then Key is "").
type Entry struct {
	Key   string
	Line  int
	Value *yaml.Node
}

// Parse returns the first document of a text: a mapping. An empty text gives an empty mapping.
func Parse(text string) (*yaml.Node, error) {
	var doc yaml.Node
	err := yaml.NewDecoder(strings.NewReader(text)).Decode(&doc)
	if errors.Is(err, io.EOF) {
		return &yaml.Node{Kind: yaml.MappingNode}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read YAML: %w", err)
	}
	root := resolved(doc.Content[0])
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return &yaml.Node{Kind: yaml.MappingNode}, nil
	}
	if root.Kind != yaml.MappingNode {
		return nil, errors.New("read YAML: it has no keys")
	}
	return root, nil
}

func resolved(n *yaml.Node) *yaml.Node {
	for i := 0; n != nil && n.Kind == yaml.AliasNode && i < 10; i++ {
		n = n.Alias
	}
	return n
}

// Entries returns the keys of a mapping, or the elements of a list, in their order. Merge keys
// ("<<") are followed; the mapping's own keys win. A nil node has none.
func Entries(n *yaml.Node) []Entry {
	return entries(n, 0)
}

func entries(n *yaml.Node, depth int) []Entry {
	n = resolved(n)
	if n == nil || depth > 10 {
		return nil
	}
	var all, merged []Entry
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i], resolved(n.Content[i+1])
			if key.Value == "<<" {
				merged = append(merged, entries(value, depth+1)...)
				continue
			}
			all = append(all, Entry{key.Value, key.Line, value})
		}
	case yaml.SequenceNode:
		for _, e := range n.Content {
			all = append(all, Entry{"", e.Line, resolved(e)})
		}
	}
	for _, m := range merged {
		if m.Key != "" && get(all, m.Key) == nil {
			all = append(all, m)
		}
	}
	return all
}

func get(all []Entry, key string) *yaml.Node {
	for _, e := range all {
		if e.Key == key {
			return e.Value
		}
	}
	return nil
}

// Get returns the value of a key, nil if there is none.
func Get(n *yaml.Node, key string) *yaml.Node { return get(Entries(n), key) }

// Scalar returns the text of a scalar, "" for anything else.
func Scalar(n *yaml.Node) string {
	if n = resolved(n); n != nil && n.Kind == yaml.ScalarNode && n.Tag != "!!null" {
		return n.Value
	}
	return ""
}

// Text is a scalar with its line.
type Text struct {
	Value string
	Line  int
}

// Texts returns a scalar, the scalars of a list, or those of lists in a list.
func Texts(n *yaml.Node) []Text {
	n = resolved(n)
	if n == nil {
		return nil
	}
	switch n.Kind {
	case yaml.ScalarNode:
		if n.Tag == "!!null" {
			return nil
		}
		return []Text{{n.Value, n.Line}}
	case yaml.SequenceNode:
		var all []Text
		for _, e := range n.Content {
			all = append(all, Texts(e)...)
		}
		return all
	}
	return nil
}

// Values returns only the values of Texts.
func Values(n *yaml.Node) []string {
	var all []string
	for _, t := range Texts(n) {
		all = append(all, t.Value)
	}
	return all
}

// Short returns a node on one line of at most 60 characters.
func Short(n *yaml.Node) string {
	var b strings.Builder
	short(&b, resolved(n), 0)
	text := strings.Join(strings.Fields(b.String()), " ")
	if r := []rune(text); len(r) > 60 {
		text = string(r[:57]) + "…"
	}
	return text
}

func short(b *strings.Builder, n *yaml.Node, depth int) {
	if n == nil || depth > 6 || b.Len() > 200 {
		return
	}
	switch n.Kind {
	case yaml.ScalarNode:
		b.WriteString(n.Value)
	case yaml.SequenceNode:
		b.WriteString("[")
		for i, e := range n.Content {
			if i > 0 {
				b.WriteString(", ")
			}
			short(b, resolved(e), depth+1)
		}
		b.WriteString("]")
	case yaml.MappingNode:
		b.WriteString("{")
		for i := 0; i+1 < len(n.Content); i += 2 {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(n.Content[i].Value + ": ")
			short(b, resolved(n.Content[i+1]), depth+1)
		}
		b.WriteString("}")
	}
}
