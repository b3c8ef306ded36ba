package evidence

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/thimble-build/thimble/build/init/finding"
	"github.com/thimble-build/thimble/build/init/mains"
	"github.com/thimble-build/thimble/build/plan"
)

// found reads a repository.
func found(t *testing.T, files map[string]string) *Found {
	t.Helper()
	root := t.TempDir()
	var names []string
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	tree, err := mains.Look(root, plan.Platform{OS: "linux", Architecture: "amd64"})
	if err != nil {
		t.Fatal(err)
	}
	f, err := Read(root, names, tree, "")
	if err != nil || len(f.Images) != 1 {
		t.Fatalf("%d images, %v", len(f.Images), err)
	}
	return f
}

// TestName wants the name that the Dockerfile ships, not the one of a recipe for development.
func TestName(t *testing.T) {
	files := map[string]string{
		"go.mod":     "module example.com/acme/source-controller\n\ngo 1.26\n",
		"main.go":    "package main\n\nfunc main() {}\n",
		"Makefile":   "manager:\n\tgo build -o bin/manager main.go\n",
		"Dockerfile": "FROM golang AS b\nWORKDIR /w\nCOPY . .\nRUN go build -o source-controller main.go\nFROM scratch\nCOPY --from=b /w/source-controller /bin/\nENTRYPOINT [\"source-controller\"]\n",
	}
	if name := found(t, files).Images[0].Name; name.Set() {
		t.Errorf("the name is %s (%s), want the default", name.Value, name.From)
	}
	files["Dockerfile"] = "FROM golang AS b\nWORKDIR /w\nCOPY . .\nRUN make\nFROM scratch\nCOPY --from=b /w/bin/manager /bin/\nENTRYPOINT [\"manager\"]\n"
	if name := found(t, files).Images[0].Name; name.Value != "manager" {
		t.Errorf("the name is %q (%s), want manager", name.Value, name.From)
	}
}

// TestFolderOfTheProgram wants another name where the image needs a folder at the program's path.
func TestFolderOfTheProgram(t *testing.T) {
	f := found(t, map[string]string{
		"go.mod":     "module example.com/acme/shop\n\ngo 1.26\n",
		"main.go":    "package main\n\nfunc main() {}\n",
		"conf.yml":   "a: b\n",
		"Dockerfile": "FROM golang AS b\nWORKDIR /w\nCOPY . .\nRUN go build -o shop .\nFROM alpine\nWORKDIR /app/shop\nCOPY conf.yml .\nCOPY --from=b /w/shop .\nENTRYPOINT [\"./shop\"]\n",
	})
	if name := f.Images[0].Name; name != finding.Found("shop-server", finding.Place{File: "Dockerfile", Line: 6}) {
		t.Errorf("the name is %+v", name)
	}
	last := f.Lines[len(f.Lines)-1]
	if want := "/app/shop-server is the entrypoint"; last.Reason != want {
		t.Errorf("%s: %s, want %s", last.Text, last.Reason, want)
	}
}

// TestOnce wants one line for a text that is read for several programs.
func TestOnce(t *testing.T) {
	line := func(number int, text string, o finding.Outcome, reason, pkg string) finding.Line {
		return finding.Line{Place: finding.Place{File: "Makefile", Line: number}, Text: text, Outcome: o,
			Reason: reason, Package: pkg}
	}
	imported := line(7, "-X main.version={{.Version}}", finding.Imported, "LDFlags", "./cmd/b")
	byHand := line(8, "-tags $(TAGS)", finding.ByHand, "init does not know its value", "./cmd/a")
	byHandToo := line(8, "-tags $(TAGS)", finding.ByHand, "init does not know its value", "./cmd/b")
	elsewhere := line(9, "-s", finding.NotNeeded, "thimble does the same", "")
	got := once([]finding.Line{
		line(7, "-X main.version={{.Version}}", finding.NotNeeded, "another line decides it", "./cmd/a"),
		imported, imported, byHand, byHandToo, byHand, elsewhere, elsewhere,
		line(10, "-s", finding.NotNeeded, "thimble does the same", ""),
	})
	want := []finding.Line{imported, byHand, byHandToo, elsewhere,
		line(10, "-s", finding.NotNeeded, "thimble does the same", "")}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// TestRuns wants the lines of the commands that became Before.
func TestRuns(t *testing.T) {
	for _, test := range []struct {
		text    string
		command []string
		want    bool
	}{
		{"RUN npm ci", []string{"npm", "ci"}, true},
		{"RUN  npm  ci", []string{"sh", "-c", "cd ui && npm ci"}, true},
		{"RUN npm run build", []string{"sh", "-c", "cd ui && npm ci"}, false},
		{"RUN apk add nodejs", []string{"npm", "ci"}, false},
	} {
		if got := runs(test.command, test.text); got != test.want {
			t.Errorf("%q runs %q: %v", test.command, test.text, got)
		}
	}
}
