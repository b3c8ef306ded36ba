package yamlscalar

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

// compare returns an error unless two streams have the same trees, except for the new values of
// scalars of the first.
func compare(before, after []*yaml.Node, values map[*yaml.Node]string) error {
	if len(before) != len(after) {
		return fmt.Errorf("there are %d documents instead of %d", len(after), len(before))
	}
	c := comparison{values: values, twin: map[*yaml.Node]*yaml.Node{}}
	for i := range before {
		if err := c.compare(before[i], after[i]); err != nil {
			return err
		}
	}
	return nil
}

type comparison struct {
	values map[*yaml.Node]string
	// twin is the node in the second stream, for each node of the first.
	twin map[*yaml.Node]*yaml.Node
}

func (c comparison) compare(a, b *yaml.Node) error {
	differ := fmt.Errorf("line %d", a.Line)
	c.twin[a] = b
	if a.Kind != b.Kind || a.Anchor != b.Anchor || a.ShortTag() != b.ShortTag() ||
		len(a.Content) != len(b.Content) {
		return differ
	}
	if value, ok := c.values[a]; ok {
		if b.Value != value {
			return differ
		}
		return nil
	}
	if a.Value != b.Value || a.Style != b.Style {
		return differ
	}
	if a.Kind == yaml.AliasNode && c.twin[a.Alias] != b.Alias {
		return differ
	}
	for i := range a.Content {
		if err := c.compare(a.Content[i], b.Content[i]); err != nil {
			return err
		}
	}
	return nil
}
