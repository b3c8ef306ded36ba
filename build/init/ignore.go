package main

import (
	"bytes"
	"slices"
)

// planIgnore adds dist/ to .gitignore, unless a line already contains it.
func planIgnore(root string) (file, error) {
	f, err := wanted(root, ".gitignore", nil)
	if err != nil {
		return file{}, err
	}
	f.add, f.text = true, f.was
	end := "\n"
	if bytes.Contains(f.was, []byte("\r\n")) {
		end = "\r\n"
	}
	for line := range bytes.Lines(f.was) {
		if slices.Contains([]string{"dist", "dist/", "/dist", "/dist/"}, string(bytes.TrimSpace(line))) {
			return f, nil
		}
	}
	f.text = slices.Clone(f.was)
	if len(f.text) > 0 && !bytes.HasSuffix(f.text, []byte("\n")) {
		f.text = append(f.text, end...)
	}
	f.text = append(f.text, "/dist/"+end...)
	return f, nil
}
