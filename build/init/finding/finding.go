// Package finding contains the types for what init finds in the files of a repository: the
// settings of each program, where each setting stands, and what becomes of each line.
//
// The packages that read files (Dockerfiles, .goreleaser.yaml, Makefile and so on) return one
// Source for each file. Merge joins them to one Program for each main package. The magefile is
// written from these programs, and the table from the lines of all sources.
//
// In build/init, the way of the data is
//
//	git      ─▶ Files
//	Files    ─▶ []Main               all main packages, of all modules
//	Files, []Main ─▶ []Source        one for each Dockerfile, .goreleaser.yaml, Makefile, …
//	[]Source ─▶ Merge ─▶ []Program   and what the sources disagree on
//	[]Program, []Line ─▶ magefile, table
//
// The package prints nothing, and reads only what Files.Read is asked for. All file names are
// relative to the root of the repository (git's working tree, or the folder that init sets up if
// there is no git), with slashes.
package finding

import "fmt"

// Place is a line of a file of the repository. A Line of 0 means the whole file.
type Place struct {
	File string `json:"file"`
	Line int    `json:"line,omitempty"`
}

// String returns "Dockerfile:12", or "Dockerfile".
func (p Place) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

// Outcome says what becomes of a line.
type Outcome string

const (
	// Imported lines are in the magefile as a setting.
	Imported Outcome = "imported"
	// NotNeeded lines have no setting, because thimble does the same without one.
	NotNeeded Outcome = "not needed"
	// ByHand lines are a comment in the magefile: the user has to decide or to write something.
	ByHand Outcome = "by hand"
)

// Line is what became of an instruction, a command or a key. A RUN with three commands has
// three Lines.
type Line struct {
	Place
	// Text is what is written there, on one line.
	Text    string  `json:"text"`
	Outcome Outcome `json:"outcome"`
	// Reason says why, in a few words: "the binary needs it, it is there". For Imported it is
	// the setting: "Runtime.Env".
	Reason string `json:"reason"`
	// Write says what to write, for ByHand; empty if only a decision is needed.
	Write string `json:"write,omitempty"`
	// Module and Package name the image that the line is about, as in Program; both are empty
	// for a line that is about no image, or about all.
	Module  string `json:"module,omitempty"`
	Package string `json:"package,omitempty"`
	// Setting is the setting that Write would change, such as "Assets"; the comment is placed
	// there.
	Setting string `json:"setting,omitempty"`
}

// Value is a setting with the place where it was found.
type Value[T any] struct {
	Value T
	From  Place
}

// Set reports whether the value was found.
func (v Value[T]) Set() bool { return v.From.File != "" }

// Found returns a value that was found.
func Found[T any](value T, from Place) Value[T] { return Value[T]{value, from} }

// Kind is the kind of a file that init reads.
type Kind string

// The kinds of files.
const (
	Ko         Kind = "ko"
	GoReleaser Kind = "goreleaser"
	Promu      Kind = "promu"
	Dockerfile Kind = "dockerfile"
	Makefile   Kind = "makefile"
	Taskfile   Kind = "taskfile"
	// Go is Go source: a main package that no other file names, or a version variable.
	Go Kind = "go"
)

// Source is what one file says.
type Source struct {
	Kind Kind
	File string
	// Programs are the programs that the file builds or ships.
	Programs []Program
	// Lines are the outcomes of all lines of the file that say something.
	Lines []Line
	// Prepared are commands that can make files which the compiler needs, such as npm run build.
	Prepared []Prepared
}

// Prepared is a command that runs before the compiler, in a folder of the repository.
type Prepared struct {
	From  Place
	Dir   string
	Words []string
}
