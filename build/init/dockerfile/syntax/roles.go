package syntax

import (
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// roles decides what each stage is for, and returns the stages that are images.
func (f *File) roles() []*Stage {
	used := map[*Stage]bool{} // by another stage
	for _, s := range f.Stages {
		used[s.Parent] = true
		for _, from := range f.copiesFrom(s) {
			used[from] = true
		}
	}
	var images []*Stage
	for at, s := range f.Stages {
		if at == len(f.Stages)-1 || !used[s] && s.starts() {
			images = append(images, s)
		}
	}
	for _, s := range images {
		for p := s; p != nil; p = p.Parent {
			p.Role = Ships
		}
	}
	for changed := true; changed; {
		changed = false
		for _, s := range f.Stages {
			if s.Role == Unused {
				continue
			}
			for _, from := range f.copiesFrom(s) {
				for p := from; p != nil; p = p.Parent {
					if p.Role == Unused {
						p.Role, changed = Builds, true
					}
				}
			}
		}
	}
	return images
}

// starts reports whether a stage says how its image is run.
func (s *Stage) starts() bool {
	return slices.ContainsFunc(s.Body, func(i Instruction) bool {
		switch i.Command.(type) {
		case *instructions.CmdCommand, *instructions.EntrypointCommand:
			return true
		}
		return false
	})
}

// copiesFrom returns the stages from which a stage copies or mounts.
func (f *File) copiesFrom(s *Stage) []*Stage {
	var all []*Stage
	add := func(name string) {
		if from := f.StageNamed(f.Plain(name, f.Global), s); from != nil {
			all = append(all, from)
		}
	}
	for _, i := range s.Body {
		switch c := i.Command.(type) {
		case *instructions.CopyCommand:
			if c.From != "" {
				add(c.From)
			}
		case *instructions.RunCommand:
			for _, word := range strings.Fields(i.Text) {
				if options, ok := strings.CutPrefix(word, "--mount="); ok {
					for option := range strings.SplitSeq(options, ",") {
						if from, ok := strings.CutPrefix(option, "from="); ok {
							add(from)
						}
					}
				}
			}
		}
	}
	return all
}
