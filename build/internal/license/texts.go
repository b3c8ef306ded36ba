package license

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strings"
)

// Texts returns one readable file of the licence and notice texts of the modules, which must
// accompany a binary (BSD clause 2, MIT, Apache-2.0 section 4): each distinct text once, after
// its modules and files. The results are those of Scan for the same modules; the order of both
// does not matter. It returns an error if a file has changed since the scan.
func Texts(modules []Module, results []Result) ([]byte, error) {
	dirs := map[string]string{}
	for _, m := range modules {
		dirs[m.Path+"@"+m.Version] = m.Dir
	}
	type entry struct {
		sources []string
		text    []byte
	}
	byText := map[string]*entry{}
	var silent []string
	for _, r := range results {
		name := strings.TrimSuffix(r.Path+" "+r.Version, " ")
		if len(r.Files) == 0 {
			silent = append(silent, name)
			continue
		}
		dir, ok := dirs[r.Path+"@"+r.Version]
		if !ok {
			return nil, fmt.Errorf("collect licence texts: %s is not among the modules", name)
		}
		texts, err := readFiles(dir, r.Files)
		if err != nil {
			return nil, fmt.Errorf("collect licence texts of %s: %w", name, err)
		}
		for i, text := range texts {
			source := name + " (" + r.Files[i].Name + ")"
			if e := byText[string(text)]; e != nil {
				e.sources = append(e.sources, source)
				continue
			}
			byText[string(text)] = &entry{[]string{source}, text}
		}
	}

	entries := make([]*entry, 0, len(byText))
	for _, e := range byText {
		slices.Sort(e.sources)
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b *entry) int { return strings.Compare(a.sources[0], b.sources[0]) })

	var b bytes.Buffer
	b.WriteString("Licences and notices of third-party software\n\n" +
		"Each text is preceded by the modules, and their files, that it comes from.\n")
	for _, e := range entries {
		fmt.Fprintf(&b, "\n%s\n%s\n%s\n\n", strings.Repeat("=", 79), strings.Join(e.sources, "\n"),
			strings.Repeat("-", 79))
		b.Write(e.text)
	}
	if len(silent) > 0 {
		slices.Sort(silent)
		fmt.Fprintf(&b, "\n%s\nNo licence file was found in:\n%s\n", strings.Repeat("=", 79),
			strings.Join(silent, "\n"))
	}
	return b.Bytes(), nil
}

// readFiles returns the texts of the files with LF line ends, without blank lines around them and
// with one final newline, so that equal texts are equal bytes.
func readFiles(dir string, files []File) ([][]byte, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	texts := make([][]byte, 0, len(files))
	for _, f := range files {
		text, err := readText(root, f.Name)
		if err != nil {
			return nil, err
		}
		if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != f.SHA256 {
			return nil, fmt.Errorf("%s has changed since it was scanned", f.Name)
		}
		text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
		text = bytes.TrimRight(bytes.TrimLeft(text, "\n"), " \t\n")
		texts = append(texts, append(text, '\n'))
	}
	return texts, nil
}
