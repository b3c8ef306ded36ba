package gobuild

import (
	"maps"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/init/finding"
	"github.com/thimble-build/thimble/build/init/stamp"
)

// Settings returns the settings in a command, and the outcome of each flag and variable. at is
// the place of the command. where returns the place of the text of a linker flag, or at if it is
// nil.
func Settings(b Build, at finding.Place, where func(flag string) finding.Place) (
	finding.Build, []finding.Line) {
	f := &Flags{at: at, where: where}
	f.Linker(b.LDFlags)
	f.Tags(b.Tags)
	for _, name := range slices.Sorted(maps.Keys(b.Env)) {
		f.Variable(name, b.Env[name])
	}
	for _, flag := range b.Flags {
		f.Flag(flag)
	}
	return f.Build, f.Lines
}

// Flags collects the settings of one program, and the outcome of each flag.
type Flags struct {
	Build finding.Build
	Lines []finding.Line

	at    finding.Place
	where func(flag string) finding.Place
}

// NewFlags returns an empty collection for flags that are written at a place.
func NewFlags(at finding.Place) *Flags { return &Flags{at: at} }

// At changes the place of the next flags.
func (f *Flags) At(at finding.Place) { f.at = at }

func (f *Flags) line(outcome finding.Outcome, text, reason string) {
	f.Lines = append(f.Lines, finding.Line{Place: f.at, Text: stamp.Show(text),
		Outcome: outcome, Reason: reason})
}

func (f *Flags) byHand(text, reason, setting, write string) {
	f.Lines = append(f.Lines, finding.Line{
		Place: f.at, Text: stamp.Show(text), Outcome: finding.ByHand, Reason: reason,
		Setting: setting, Write: write,
	})
}

// Linker adds the words of -ldflags.
func (f *Flags) Linker(words []string) {
	command := f.at
	defer func() { f.at = command }()
	for i := 0; i < len(words); i++ {
		word := words[i]
		f.at = command
		if f.where != nil {
			f.at = f.where(word)
		}
		name, value, has := strings.Cut(strings.TrimLeft(word, "-"), "=")
		next := func() string {
			if !has && i+1 < len(words) {
				i++
				return words[i]
			}
			return value
		}
		switch {
		case !strings.HasPrefix(word, "-"):
			if !stamp.Known(word) {
				f.byHand(word, "init does not know its value", "LDFlags", "")
			} else {
				f.byHand(word, "it is no linker flag", "LDFlags", "")
			}
		case name == "X":
			f.stamp(next(), command)
		case name == "s", name == "w", name == "static", name == "d":
			f.line(finding.NotNeeded, word, "thimble does the same")
		case name == "buildid", name == "B":
			next()
			f.line(finding.NotNeeded, word, "builds are reproducible with their build id")
		case name == "extldflags", name == "linkmode", name == "extld":
			v := next()
			f.line(finding.NotNeeded, word+" "+v, linked)
		case name == "compressdwarf", name == "race", name == "msan", name == "asan":
			f.line(finding.NotNeeded, word, "there is no debug information in the image")
		default:
			f.Build.LDFlags = append(f.Build.LDFlags, finding.Found(word, f.at))
			f.line(finding.Imported, word, "LDFlags")
		}
	}
}

// stamp adds the value of -X.
func (f *Flags) stamp(definition string, command finding.Place) {
	definition = strings.Trim(definition, `'"`)
	if f.where != nil {
		name, _, _ := strings.Cut(definition, "=")
		f.at = f.where(name)
	}
	variable, value, ok := strings.Cut(definition, "=")
	value = strings.Trim(value, `'"`)
	dot := strings.LastIndex(variable, ".")
	switch {
	case !ok || dot < 0 || !stamp.Known(variable) || strings.Contains(variable, "{{"):
		f.byHand("-X "+definition, "init does not know the name of the variable",
			"LDFlags", `LDFlags: []string{"-X=import/path.name={{.Version}}"},`)
		return
	case !stamp.Known(value), value == "":
		if t, ok := stamp.Name(variable[dot+1:]); ok && (value == "" || wholly(value)) {
			value = t
			break
		}
		if value == "" {
			f.line(finding.NotNeeded, "-X "+definition, "an empty value is what the variable has")
			return
		}
		f.byHand("-X "+definition,
			"the value differs from machine to machine, and the same commit makes the same bytes",
			"LDFlags", `LDFlags: []string{"-X=`+variable+`=a fixed text"},`)
		return
	}
	if stamp.Placeholder(value) {
		if t, ok := stamp.Name(variable[dot+1:]); ok {
			value = t
		}
	}
	flag := "-X=" + variable + "=" + value
	for _, there := range f.Build.LDFlags {
		if strings.HasPrefix(there.Value, "-X="+variable+"=") {
			return
		}
	}
	f.Build.LDFlags = append(f.Build.LDFlags, finding.Found(flag, f.at))
	f.line(finding.Imported, "-X "+definition, "LDFlags")
}

// wholly reports whether a text is one unknown part.
func wholly(value string) bool {
	parts := stamp.Parts(value)
	return len(parts) == 1 && stamp.Show(value) == parts[0]
}

// linked is the reason why flags for a static binary are not needed.
const linked = "without cgo a binary is static; with cgo it uses the C library of the base"

// Tags adds build tags.
func (f *Flags) Tags(tags []string) {
	for _, tag := range tags {
		tag = strings.Trim(tag, `'"`)
		switch {
		case tag == "":
		case !stamp.Known(tag):
			if strings.Contains(stamp.Show(tag), "TAGS") {
				f.line(finding.NotNeeded, "-tags "+tag, "nothing sets it")
			} else {
				f.byHand("-tags "+tag, "init does not know its value", "BuildTags", "")
			}
		case strings.Contains(tag, "{{"):
			f.line(finding.NotNeeded, "-tags "+tag, "no file has a constraint with such a tag")
		case tag == "static_build", tag == "static":
			f.line(finding.NotNeeded, "-tags "+tag, linked)
		default:
			f.Build.Tags = append(f.Build.Tags, finding.Found(tag, f.at))
			f.line(finding.Imported, "-tags "+tag, "BuildTags")
		}
	}
}

// harmless are variables that change nothing in a program, architectural those that do.
var (
	harmless = []string{
		"GO111MODULE", "GOPROXY", "GOPRIVATE", "GONOSUMDB", "GONOPROXY", "GOSUMDB", "GOCACHE",
		"GOMODCACHE", "GOPATH", "GOBIN",
		"GOTOOLCHAIN", "GOWORK",
	}
	architectural = []string{"GOEXPERIMENT", "GOAMD64", "GOARM64", "GOMIPS", "GOMIPS64", "GO386",
		"GOPPC64", "GORISCV64"}
)

// Variable adds a variable of the go command.
func (f *Flags) Variable(name, value string) {
	text := name + "=" + value
	switch {
	case name == "CGO_ENABLED":
		if value == "0" || value == "1" {
			f.Build.Cgo = finding.Found(value == "1", f.at)
			f.line(finding.Imported, text, "Cgo")
		} else {
			f.byHand(text, "init does not know its value", "Cgo", `Cgo: "on",`)
		}
	case name == "GOFIPS140":
		if stamp.Known(value) && value != "off" {
			f.Build.FIPS140 = finding.Found(value, f.at)
			f.line(finding.Imported, text, "FIPS140")
		}
	case name == "GOFLAGS":
		for _, flag := range strings.Fields(value) {
			if tags, ok := strings.CutPrefix(flag, "-tags="); ok {
				f.Tags(strings.Split(tags, ","))
			} else {
				f.Flag(flag)
			}
		}
	case name == "GOOS", name == "GOARCH", name == "GOARM":
		f.line(finding.NotNeeded, text, "-platform and Platforms say it")
	case slices.Contains(harmless, name):
		f.line(finding.NotNeeded, text, "it changes nothing in the program")
	case slices.Contains(architectural, name), strings.HasPrefix(name, "CGO_"):
		if value != "" && stamp.Known(value) {
			f.Build.Env = append(f.Build.Env, finding.Found(text, f.at))
			f.line(finding.ByHand, text, "thimble takes it from your environment or from go env")
		}
	case strings.HasPrefix(name, "CC"), strings.HasPrefix(name, "CXX"):
		f.line(finding.NotNeeded, text, "thimble finds the C compiler")
	}
}

// Word is a word of a command with its place.
type Word struct {
	Text string
	At   finding.Place
}

// Words adds flags of the go command, whose values can be in the same word or in the next one.
func (f *Flags) Words(all []Word) {
	for i := 0; i < len(all); i++ {
		f.At(all[i].At)
		flag := all[i].Text
		name := strings.TrimLeft(flag, "-")
		if slices.Contains(valued, name) && !slices.Contains(withoutValue, name) && i+1 < len(all) {
			i++
			f.Flag("-" + name + "=" + all[i].Text)
			continue
		}
		f.Flag(flag)
	}
}

// Flag adds a flag of the go command, with its value after "=".
func (f *Flags) Flag(flag string) {
	name, value, _ := strings.Cut(strings.TrimLeft(flag, "-"), "=")
	switch name {
	case "", "X", "a", "v", "x", "n", "i", "p", "mod", "work", "json", "installsuffix",
		"modcacherw", "buildvcs",
		"trimpath":
		reason := "it changes nothing in the program"
		if name == "trimpath" {
			reason = "thimble does the same"
		}
		f.line(finding.NotNeeded, flag, reason)
	case "ldflags":
		f.Linker(words(value))
	case "tags":
		f.Tags(strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' }))
	case "buildmode":
		if value == "pie" || value == "exe" || value == "default" {
			f.line(finding.NotNeeded, flag, "thimble makes static programs")
		} else {
			f.byHand(flag, "thimble makes static programs", "", "")
		}
	case "race", "msan", "asan", "cover", "covermode", "coverpkg":
		f.line(finding.NotNeeded, flag, "it is for tests")
	case "pgo":
		f.line(finding.NotNeeded, flag, "the go command takes default.pgo in the folder of the main package")
	case "gcflags", "asmflags":
		f.line(finding.NotNeeded, flag,
			"thimble compiles without flags of the compiler; `mage debug` has its own")
	default:
		f.byHand(flag, "only Config changes the program", "", "")
	}
}
