package needs

import (
	"bytes"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/plan"
)

// rule connects one need with the functions of the standard library that use it.
type rule struct {
	need string
	// uses are functions of which any one means that the binary can use the files; the most
	// specific first.
	uses []string
	// brings are functions of which any one means that the binary contains the files' content.
	brings []string
}

// rules was made from GOROOT/src of Go 1.26. Each name is either the public function, or the
// private one that all public ones call. A test links a program for every name, so it fails if a
// new toolchain renames one.
var rules = []rule{
	{
		// A server without client connections contains loadSystemRoots, too: client certificates
		// are verified by the same code.
		need:   plan.NeedCACertificates,
		uses:   []string{"crypto/x509.SystemCertPool", "crypto/x509.loadSystemRoots"},
		brings: []string{"golang.org/x/crypto/x509roots/fallback.init.0"},
	},
	{
		need: plan.NeedExec,
		uses: []string{
			"os/exec.Command", "os/exec.CommandContext", "os/exec.(*Cmd).Start",
			"os.StartProcess", "syscall.ForkExec", "syscall.Exec", "syscall.forkExec",
		},
	},
	{
		// os/user.Current falls back to os.UserHomeDir; the two Lookups return a User with a
		// HomeDir.
		need: plan.NeedHome,
		uses: slices.Concat(homeFunctions, []string{"os/user.Lookup", "os/user.LookupId"}),
	},
	{
		// mime.init is linked whenever mime is imported, even only for its header syntax;
		// initMime only if the table is read or changed.
		need: plan.NeedMIMETypes,
		uses: []string{"mime.TypeByExtension", "mime.ExtensionsByType",
			"mime.AddExtensionType", "mime.initMime"},
	},
	{
		need: plan.NeedServices,
		uses: []string{"net.LookupPort", "net.goLookupPort", "net.readServices", "net.lookupProtocol"},
	},
	{
		need: plan.NeedTmp,
		uses: []string{"os.CreateTemp", "os.MkdirTemp", "os.TempDir"},
	},
	{
		// Container runtimes take HOME from /etc/passwd, so a program that needs a home needs
		// users, too.
		need: plan.NeedUsers,
		uses: slices.Concat([]string{
			"os/user.Current", "os/user.Lookup", "os/user.LookupId",
			"os/user.LookupGroup", "os/user.LookupGroupId", "os/user.(*User).GroupIds",
		}, homeFunctions),
	},
	{
		need:   plan.NeedZoneinfo,
		uses:   []string{"time.LoadLocation"},
		brings: []string{"time/tzdata.init.0"},
	},
}

var homeFunctions = []string{"os.UserHomeDir", "os.UserCacheDir", "os.UserConfigDir"}

// Every Go program has mainFunctions, and every one that can use a part of the operating system
// has one of ordinaryFunctions. An obfuscator may keep the former and rename the others: garble
// does.
var (
	mainFunctions     = []string{"runtime.main", "main.main"}
	ordinaryFunctions = []string{"errors.New", "os.NewFile"}
)

// manyNames is the number of functions outside of the runtime that distinguishes a program that
// hides its imports from one that imports almost nothing. The smallest programs with a need for
// files have a hundred and more (os, time or net, and their imports); those that import only such
// packages as errors, strings and sync have up to thirty. A new Go may bring a few names of the
// runtime that ofRuntime does not know, such as _.goready.func1 of Go 1.27.
const manyNames = 64

// ofRuntime says whether a function is in the binary of a main package without imports: of the
// runtime, under any name that it has there.
func ofRuntime(name []byte) bool {
	switch string(name) {
	case "os/signal.signal_ignored", "sync.event", "time.now":
		return true
	}
	for _, prefix := range []string{"runtime.", "runtime/", "internal/", "math/bits.",
		"main.", "go:", "type:"} {
		if strings.HasPrefix(string(name), prefix) {
			return true
		}
	}
	return bytes.IndexByte(name, '.') < 0 // written in assembly
}

// nameSet is a set of the names in the rules, one bit for each.
type nameSet uint64

func (s nameSet) has(names ...string) bool {
	for _, name := range names {
		if s&nameBits[name] == 0 {
			return false
		}
	}
	return true
}

func (s nameSet) hasAny(names ...string) bool {
	for _, name := range names {
		if s&nameBits[name] != 0 {
			return true
		}
	}
	return false
}

// nameBits has the bit of each name, and nameLengths for each last byte the set of lengths of
// names that end with it: so most names of a binary are rejected without hashing.
var nameBits, nameLengths = indexNames()

// longestName is the longest name that a bit of nameLengths can represent.
const longestName = 63

func indexNames() (map[string]nameSet, *[256]uint64) {
	index, lengths := make(map[string]nameSet), new([256]uint64)
	add := func(names []string) {
		for _, name := range names {
			if _, known := index[name]; known {
				continue
			}
			index[name] = 1 << len(index)
			lengths[name[len(name)-1]] |= 1 << len(name)
		}
	}
	for _, r := range rules {
		add(r.uses)
		add(r.brings)
	}
	add(mainFunctions)
	add(ordinaryFunctions)
	return index, lengths
}

// lookup returns the set of this one name, which is empty for most.
func lookup(name []byte) nameSet {
	n := len(name)
	if n == 0 || n > longestName || nameLengths[name[n-1]]>>n&1 == 0 {
		return 0
	}
	return nameBits[string(name)]
}
