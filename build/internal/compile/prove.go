package compile

import (
	"cmp"
	"debug/buildinfo"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"

	"github.com/thimble-build/thimble/build/internal/artifact"
	"github.com/thimble-build/thimble/build/plan"
)

// ErrDynamic is the cause of an error of Prove when the binary needs a dynamic linker or a
// shared library.
var ErrDynamic = errors.New("not static")

// ErrStamp is the cause of an error of Prove when the version control information in the binary
// is not that of the plan's revision.
var ErrStamp = errors.New("its stamp differs from the plan")

// machines are the ELF machine, class and byte order of Go's linux ports.
var machines = map[string]struct {
	machine elf.Machine
	class   elf.Class
	order   binary.ByteOrder
}{
	"386":      {elf.EM_386, elf.ELFCLASS32, binary.LittleEndian},
	"amd64":    {elf.EM_X86_64, elf.ELFCLASS64, binary.LittleEndian},
	"arm":      {elf.EM_ARM, elf.ELFCLASS32, binary.LittleEndian},
	"arm64":    {elf.EM_AARCH64, elf.ELFCLASS64, binary.LittleEndian},
	"loong64":  {elf.EM_LOONGARCH, elf.ELFCLASS64, binary.LittleEndian},
	"mips":     {elf.EM_MIPS, elf.ELFCLASS32, binary.BigEndian},
	"mips64":   {elf.EM_MIPS, elf.ELFCLASS64, binary.BigEndian},
	"mips64le": {elf.EM_MIPS, elf.ELFCLASS64, binary.LittleEndian},
	"mipsle":   {elf.EM_MIPS, elf.ELFCLASS32, binary.LittleEndian},
	"ppc64":    {elf.EM_PPC64, elf.ELFCLASS64, binary.BigEndian},
	"ppc64le":  {elf.EM_PPC64, elf.ELFCLASS64, binary.LittleEndian},
	"riscv64":  {elf.EM_RISCV, elf.ELFCLASS64, binary.LittleEndian},
	"s390x":    {elf.EM_S390, elf.ELFCLASS64, binary.BigEndian},
}

// Prove checks that a binary is for the platform and contains the build info that the plan
// expects, which it returns. A linux binary without cgo must also be static: no PT_INTERP, no
// DT_NEEDED. (On most other systems every program is linked to system libraries.) The error
// names the library, flag or setting that differs.
func Prove(r io.ReaderAt, p *plan.Plan, program artifact.Program) (*debug.BuildInfo, error) {
	fail := func(format string, args ...any) (*debug.BuildInfo, error) {
		return nil, fmt.Errorf("check the binary of %s for %s: %w", program.Package, program.Platform,
			fmt.Errorf(format, args...))
	}
	info, err := buildinfo.Read(r)
	if err != nil {
		return fail("%w", err)
	}
	if program.Platform.OS == "linux" {
		if err := static(r, info, p, program); err != nil {
			return fail("%w", err)
		}
	}
	if err := compare(info, p, program); err != nil {
		return fail("%w", err)
	}
	return info, nil
}

// static checks the ELF file: its machine, and that it needs nothing dynamic, unless it may.
func static(r io.ReaderAt, info *debug.BuildInfo, p *plan.Plan, program artifact.Program) error {
	f, err := elf.NewFile(r)
	if err != nil {
		return err
	}
	want, ok := machines[program.Platform.Architecture]
	if !ok || f.Machine != want.machine || f.Class != want.class || f.ByteOrder != want.order {
		return fmt.Errorf("it is for %s, %s", f.Machine, f.Class)
	}
	if program.Image.Cgo {
		return nil
	}
	libs, err := f.ImportedLibraries()
	if err != nil && !errors.Is(err, elf.ErrNoSymbols) {
		return fmt.Errorf("read its libraries: %w", err)
	}
	if len(libs) > 0 {
		return fmt.Errorf("%w: it requires %s; %s", ErrDynamic, strings.Join(libs, ", "),
			culprit(info, p.Build.Of(program.Image)))
	}
	for _, prog := range f.Progs {
		if prog.Type == elf.PT_INTERP {
			return fmt.Errorf("%w: it requires the interpreter %s; %s", ErrDynamic, interpreter(prog),
				culprit(info, p.Build.Of(program.Image)))
		}
	}
	return nil
}

func interpreter(prog *elf.Prog) string {
	b := make([]byte, min(prog.Filesz, 256))
	if _, err := prog.ReadAt(b, 0); err != nil {
		return "with an unreadable name"
	}
	return strings.TrimRight(string(b), "\x00")
}

// culprit returns the setting that makes the linker require a dynamic linker.
func culprit(info *debug.BuildInfo, build plan.Build) string {
	if mode := setting(info, "-buildmode"); mode != "exe" {
		return "-buildmode=" + mode + " causes this; remove it"
	}
	for _, flag := range build.LDFlags {
		for _, dynamic := range []string{"-linkmode", "-buildmode", "-I", "-r", "-extld"} {
			if strings.HasPrefix("-"+strings.TrimLeft(flag, "-"), dynamic) {
				return "the linker flag " + flag + " causes this; remove it from Config.LDFlags"
			}
		}
	}
	if setting(info, "CGO_ENABLED") == "1" {
		return "CGO_ENABLED=1 causes this"
	}
	return "a //go:cgo_import_dynamic in one of its packages causes this"
}

func setting(info *debug.BuildInfo, key string) string {
	for _, s := range info.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}

// compare compares the build info with the plan.
func compare(info *debug.BuildInfo, p *plan.Plan, program artifact.Program) error {
	type pair struct{ name, got, want string }
	enabled := "0"
	if program.Image.Cgo {
		enabled = "1"
	}
	version, _, _ := strings.Cut(info.GoVersion, " ")
	version, _, _ = strings.Cut(version, "-X:") // the experiments, as Go 1.27 writes them
	pairs := []pair{
		{"Go version", version, p.Toolchain.Version},
		{"package", info.Path, program.Package},
		{"main module", info.Main.Path, cmp.Or(program.Module, p.Module.Path)},
		{"CGO_ENABLED", setting(info, "CGO_ENABLED"), enabled},
		{"-trimpath", setting(info, "-trimpath"), "true"},
		{"-tags", withoutFIPS(setting(info, "-tags")), strings.Join(p.Build.Of(program.Image).Tags, ",")},
		{"-gcflags", setting(info, "-gcflags"), strings.Join(p.Build.GCFlags, " ")},
		{"GOEXPERIMENT", setting(info, "GOEXPERIMENT"), p.Toolchain.Experiment},
	}
	for _, e := range program.Platform.Env() {
		name, value, _ := strings.Cut(e, "=")
		pairs = append(pairs, pair{name, setting(info, name), value})
	}
	for _, x := range pairs {
		if x.got != x.want {
			return fmt.Errorf("its %s is %q, the plan's %q", x.name, x.got, x.want)
		}
	}

	if err := inFIPSMode(info, p.Toolchain.Of(program.Image).FIPS140); err != nil {
		return err
	}
	pairs = []pair{{"vcs", setting(info, "vcs"), ""}, {"vcs.revision", setting(info, "vcs.revision"), ""},
		{"vcs.time", setting(info, "vcs.time"), ""}}
	if p.Build.Stamp && pairs[0].got != "" { // if it cannot, the go command stamps nothing
		pairs[0].want, pairs[1].want, pairs[2].want = "git", p.Revision, p.Build.VCSTime
	}
	for _, x := range pairs {
		if x.got != x.want {
			return fmt.Errorf(
				"%w: its %s is %q, the plan's %q; did the tree change during the build? run it again",
				ErrStamp, x.name, x.got, x.want)
		}
	}
	return nil
}

// Stamp is the version control information that the go command wrote into a binary.
type Stamp struct {
	// Stamped says that it wrote any. ModuleVersion is the main module's version, "(devel)" if
	// it has none.
	Stamped       bool
	ModuleVersion string
	// Modified says that git reported the tree as changed.
	Modified bool
}

// ReadStamp reads the stamp of a binary that Prove has accepted.
func ReadStamp(info *debug.BuildInfo) Stamp {
	return Stamp{Stamped: setting(info, "vcs") != "", ModuleVersion: info.Main.Version,
		Modified: setting(info, "vcs.modified") == "true"}
}
