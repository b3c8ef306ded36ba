package yamlscalar

import (
	"bytes"
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"
)

// Join returns several streams as one, with the same documents. Streams without documents are left
// out. One stream stays as it is.
func Join(streams [][]byte) ([]byte, error) {
	if len(streams) == 1 {
		return streams[0], nil
	}
	var out []byte
	var all []*yaml.Node
	for _, s := range streams {
		docs, err := parse(s)
		if err != nil {
			return nil, err
		}
		if len(docs) == 0 {
			continue
		}
		if len(all) > 0 {
			s = bytes.TrimPrefix(s, []byte("\xef\xbb\xbf"))
			if last := out[len(out)-1]; last != '\n' && last != '\r' {
				out = append(out, '\n')
			}
			out = append(out, separator(s)...)
		}
		out, all = append(out, s...), slices.Concat(all, docs)
	}
	joined, err := parse(out)
	if err == nil {
		err = compare(all, joined, nil)
	}
	if err != nil {
		return nil, fmt.Errorf(
			"join the files: the documents change: %w; end each file with a line break, or give the files "+
				"one by one", err)
	}
	return out, nil
}

// separator returns what must be above a stream that follows another one.
func separator(s []byte) string {
	for line := range bytes.Lines(s) {
		switch trimmed := bytes.TrimSpace(line); {
		case len(trimmed) == 0 || trimmed[0] == '#':
		case bytes.HasPrefix(line, []byte("---")):
			return ""
		case line[0] == '%':
			return "...\n"
		default:
			return "---\n"
		}
	}
	return "---\n"
}
