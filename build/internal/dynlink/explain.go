package dynlink

import (
	"errors"
	"fmt"
	"path"

	"github.com/thimble-build/thimble/build/internal/debian"
	"github.com/thimble-build/thimble/build/internal/layerfs"
	"github.com/thimble-build/thimble/build/internal/lock"
)

// explain adds to the error of a missing library what the user can do about it.
func explain(in Input, err error) error {
	missing := new(layerfs.LinkError)
	if !errors.As(err, &missing) {
		return err
	}
	isDebian := lock.IsDebian(in.Image.Base)
	switch {
	case missing.Overlooked != "":
		return fmt.Errorf(
			"%w, because LD_LIBRARY_PATH and $ORIGIN are ignored; link with an absolute folder "+
				"(-Wl,-rpath=%s)",
			err, path.Dir(missing.Overlooked))
	case missing.Version != "":
		newer := "choose a newer base"
		if isDebian && in.Suite != debian.DefaultSuite {
			newer = fmt.Sprintf("set Config.Debian.Suite to %q", debian.DefaultSuite)
		}
		return fmt.Errorf("%w: the program was compiled for a newer system than the base; "+
			"compile it on the base's system or an older one, or %s", err, newer)
	case missing.Name == in.ELF.Interp && !isDebian:
		return fmt.Errorf(
			"%w: the base has no C library, or another one than the C compiler's; choose a base with this one, "+
				"or set a compiler for the base's in CC_FOR_%s_%s", err, in.Platform.OS,
			in.Platform.Architecture)
	case !isDebian:
		return fmt.Errorf("%w; choose a base that has it, or add it with Assets", err)
	}
	name := "the package that has it"
	if pkg := debian.LibraryPackage(missing.Name); pkg != "" {
		name = pkg
		if in.Suite != "bookworm" && pkg != "libc6" {
			name += " (or " + pkg + "t64)"
		}
		name += ", which has it by Debian's naming rule,"
	}
	return fmt.Errorf("%w; add %s to Packages and run \"mage lock\"", err, name)
}
