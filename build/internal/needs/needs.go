// Package needs finds out which parts of an operating system a Go executable can use: CA
// certificates, time zones, a folder for temporary files, and so on.
//
// It takes the bytes of an executable file and returns a Report; most callers need only [Scan],
// then [Report.Apply] for the needs that Config includes or excludes. It never runs the file,
// never reads it into memory as a whole and reads nothing else.
//
// The answer comes from the function-name table of the Go linker. The table survives -s -w, it
// contains only reachable functions, and also inlined ones. In case of doubt a need is included,
// because a missing file breaks a service and an unneeded one costs only bytes. So a file that is
// packed, obfuscated or not made by the Go toolchain gets every need, and Report.Unknown says
// why.
//
// The table does not show three things, which Config must set: a file that the program opens by a
// fixed path, such as os.Open("/etc/passwd"); a program that the binary starts; and the TZ
// variable, which sets another local time than UTC in a program that never names a zone itself.
// Files that a container runtime provides (/etc/hosts, /etc/resolv.conf, /proc, /sys, /dev) are
// not needs.
package needs

import (
	"cmp"
	"io"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/plan"
)

// Report is the result of Scan.
type Report struct {
	// Needs are sorted by name. plan.NeedExec is among them, as a warning.
	Needs []plan.Need
	// Unknown says why the function names could not be trusted; then Needs has every need. It is
	// empty otherwise.
	Unknown string
}

// Scan reads the function names of the executable in the first size bytes of r. Memory is
// constant: one buffer of 128 KiB, and the section headers. An error means that r could not be
// read, is not an executable, or is incomplete or malformed. Another kind of executable than a
// plain Go ELF file is not an error: its report has every need.
func Scan(r io.ReaderAt, size int64) (Report, error) {
	found, unknown, err := functions(io.NewSectionReader(r, 0, size), size)
	if err != nil {
		return Report{}, err
	}
	if unknown != "" {
		return everything(unknown), nil
	}
	var report Report
	for _, r := range rules {
		if !found.hasAny(r.uses...) {
			continue
		}
		need := plan.Need{Name: r.need, Embedded: found.hasAny(r.brings...)}
		telling := r.uses
		if need.Embedded {
			telling = r.brings
		}
		for _, name := range telling {
			if found.has(name) && len(need.Evidence) < maxEvidence {
				need.Evidence = append(need.Evidence, name)
			}
		}
		report.Needs = append(report.Needs, need)
	}
	sortNeeds(report.Needs)
	return report, nil
}

const maxEvidence = 3

// everything returns every need, the safe answer.
func everything(why string) Report {
	report := Report{Unknown: why}
	for _, r := range rules {
		report.Needs = append(report.Needs, plan.Need{Name: r.need, Evidence: []string{why}})
	}
	sortNeeds(report.Needs)
	return report
}

// And returns the report of two programs together. A need is embedded if each program that has it
// embeds the files. Neither report is changed.
func (r Report) And(other Report) Report {
	both := Report{Unknown: cmp.Or(r.Unknown, other.Unknown), Needs: slices.Clone(r.Needs)}
	for _, n := range other.Needs {
		i := slices.IndexFunc(both.Needs, func(have plan.Need) bool { return have.Name == n.Name })
		switch {
		case i < 0:
			both.Needs = append(both.Needs, n)
		case both.Needs[i].Embedded == n.Embedded:
			for _, name := range n.Evidence {
				if have := both.Needs[i].Evidence; len(have) < maxEvidence && !slices.Contains(have, name) {
					both.Needs[i].Evidence = append(slices.Clone(have), name)
				}
			}
		case both.Needs[i].Embedded:
			both.Needs[i] = n
		}
	}
	sortNeeds(both.Needs)
	return both
}

// WithC returns the report of a program that also contains C code. C has no table of names, so
// every need is given except the warning, and files embedded in Go packages do not help C code.
func (r Report) WithC() Report {
	const why = "C code, whose needs cannot be seen"
	if r.Unknown != "" {
		return r
	}
	all := Report{Unknown: "it has " + why}
	for _, rule := range rules {
		need := plan.Need{Name: rule.need, Evidence: []string{why}}
		found := slices.IndexFunc(r.Needs, func(n plan.Need) bool { return n.Name == rule.need })
		if found >= 0 && !r.Needs[found].Embedded {
			need.Evidence = r.Needs[found].Evidence
		}
		if found >= 0 || rule.need != plan.NeedExec {
			all.Needs = append(all.Needs, need)
		}
	}
	sortNeeds(all.Needs)
	return all
}

// Apply returns the needs with those of include, which are added even if the binary embeds the
// files, and without those of exclude. The caller has checked the names against plan.Needs;
// exclude may also name plan.NeedExec, to suppress the warning. A name in both is excluded. r is
// not changed.
func (r Report) Apply(include, exclude []string) []plan.Need {
	needs := make([]plan.Need, 0, len(r.Needs)+len(include))
	for _, n := range r.Needs {
		if slices.Contains(exclude, n.Name) {
			continue
		}
		n.Evidence = slices.Clone(n.Evidence)
		if n.Embedded && slices.Contains(include, n.Name) {
			n.Embedded, n.Evidence = false, []string{forced}
		}
		needs = append(needs, n)
	}
	for _, name := range include {
		known := slices.ContainsFunc(needs, func(n plan.Need) bool { return n.Name == name })
		if !known && !slices.Contains(exclude, name) {
			needs = append(needs, plan.Need{Name: name, Evidence: []string{forced}})
		}
	}
	sortNeeds(needs)
	return needs
}

const forced = "forced by Config"

func sortNeeds(needs []plan.Need) {
	slices.SortFunc(needs, func(a, b plan.Need) int { return strings.Compare(a.Name, b.Name) })
}
