package resolve

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/thimble-build/thimble/build/internal/git"
	"github.com/thimble-build/thimble/build/internal/gocmd"
	"github.com/thimble-build/thimble/build/internal/golist"
	"github.com/thimble-build/thimble/build/internal/source"
	"github.com/thimble-build/thimble/build/plan"
)

// Draft is a plan that is enough to compile, with the data that is needed to build it on this
// machine. It is not changed: Finish and Vary return other values.
type Draft struct {
	Plan *plan.Plan
	// Dir is the module's folder, absolute.
	Dir string
	Go  *gocmd.Go
	// Notices tell the user about decisions that may be unexpected.
	Notices []string

	// Reported is the first file that git reports as changed, if the go command stamps that; ""
	// if there is none.
	Reported string

	// Tagged says that HEAD has a tag for this version.
	Tagged bool

	// Undecided are the images for which Config does not say whether they are compiled with cgo.
	Undecided []string

	// Signed says, by image name, who must have signed its base.
	Signed map[string]*plan.BaseSignature
	// Suite is the Debian release that bases are made of.
	Suite string

	// Archives says that release archives are made.
	Archives bool

	repo *git.Repo // nil without git
	// pinned is the content of thimble.lock.json, if it was read.
	pinned *plan.Lock
	// dated says that SOURCE_DATE_EPOCH is set.
	dated bool
	// dist is the output folder.
	dist string
	// suffix is added to the version in tags.
	suffix string
	// version is that of a clean tree. Without a tag at HEAD it is based on the nearest tag, or a
	// pseudo-version. ldflags are the linker flags before expansion, unless
	// expanded is set. committed is the time of the commit.
	version  string
	ldflags  []string
	expanded bool
	// ownFlags are the additional linker flags of images by name, before expansion.
	ownFlags  map[string][]string
	committed time.Time
	// tags are the rules for the module's tags. previous is the release before HEAD.
	tags     tagRules
	previous string
}

func (r *Draft) notice(format string, args ...any) {
	r.Notices = append(r.Notices, fmt.Sprintf(format, args...))
}

// Tree returns the working tree, and what the plan compiles of it.
func (r *Draft) Tree() golist.Tree {
	t := golist.Tree{
		Go: r.Go, Dir: r.Dir, Dist: r.dist,
		Mod: r.Plan.Toolchain.Mod,
	}
	for _, img := range r.Plan.Images {
		t.Mains = append(t.Mains, golist.Mains(r.Plan, img)...)
	}
	if r.repo != nil {
		t.Root = r.repo.Root
	}
	return t
}

// LicenseFolders returns where the service's licence can be: the module's root, then the
// repository's, as for a module in the module cache.
func (r *Draft) LicenseFolders() []string {
	folders := []string{r.Dir}
	if r.repo != nil && r.repo.Root != r.Dir {
		folders = append(folders, r.repo.Root)
	}
	return folders
}

// InWorkingTree returns the absolute path of a file whose name is relative to the repository's
// root, with slashes.
func (r *Draft) InWorkingTree(name string) string {
	return filepath.Join(r.repo.Root, filepath.FromSlash(name))
}

// Commit reads the tree of the revision; nil without git.
func (r *Draft) Commit(ctx context.Context) (*source.Commit, error) {
	if r.repo == nil {
		return nil, nil
	}
	return source.Read(ctx, r.repo, r.Plan.Revision)
}
