package materials

import (
	"path/filepath"
	"slices"
	"testing"
)

// What is added while the go command is asked is in the list: the compiler reads it, so it must be
// compared with the commit.
func TestListOfAChangingSource(t *testing.T) {
	const importing = "package main\n\nimport _ \"example.com/svc/more\"\n\nfunc main() {}\n"
	for name, add := range map[string]func(repo){
		"a file": func(r repo) { r.write("svc/more.go", "package main\n") },
		"an import": func(r repo) {
			r.write("svc/main.go", importing)
		},
		"an embedded one": func(r repo) { r.write("svc/page/more.txt", "more") },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRepo(t, map[string]string{
				"svc/more/more.go": "package more\n", "svc/page/page.txt": "page",
				"svc/embed.go": "package main\n\nimport \"embed\"\n\n//go:embed page\nvar page embed.FS\n",
			})
			s := r.source()
			platform, asked := s.Platforms()[0], 0
			list, err := settled(t.Context(), func() (*List, error) {
				l, err := s.ask(t.Context(), platform)
				if asked++; err == nil && asked == 1 {
					add(r) // after the go command has read it, and before it is recorded
					l.Seen, err = l.Compiled.See(t.Context())
				}
				return l, err
			})
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]string{
				"a file": "svc/more.go", "an import": "svc/more/more.go", "an embedded one": "svc/page/more.txt",
			}[name]
			if !slices.Contains(list.Compiled.Files, filepath.Join(r.dir, filepath.FromSlash(want))) {
				t.Errorf("%s is not in the list: %q", want, list.Compiled.Files)
			}
			if asked > 3 {
				t.Errorf("the go command was asked %d times", asked)
			}
		})
	}
}

// A source that keeps changing is an error.
func TestListOfASourceThatKeepsChanging(t *testing.T) {
	r := newRepo(t, nil)
	s := r.source()
	asked := 0
	_, err := settled(t.Context(), func() (*List, error) {
		l, err := s.ask(t.Context(), s.Platforms()[0])
		asked++
		r.write("svc/main.go", "package main\n\nfunc main() {}\n")
		return l, err
	})
	if err == nil || asked != maxAsked {
		t.Errorf("after %d: %v", asked, err)
	}
}
