package tree

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/thimble-build/thimble/build/plan"
)

// Sources says where Rootfs reads the files that it does not contain.
type Sources struct {
	// GOROOT is the folder of the service's Go toolchain, which has the time zone database.
	// GoVersion, such as "go1.26.8", is used if the toolchain does not have the database's
	// release.
	GOROOT    string
	GoVersion string
	// KitVersion is the version of the component "thimble-rootfs": the few files that are part of
	// thimble.
	KitVersion string
	// Base are the users of a base, to which the image's are added.
	Base Accounts
}

// rootfsFormat is part of RootfsKey. It changes whenever Rootfs returns other files or other
// components for the same inputs.
const rootfsFormat = "thimble rootfs 1"

var (
	//go:embed data/mime.types
	mimeTypes []byte
	//go:embed data/services
	services []byte
	//go:embed data/protocols
	protocols []byte
)

// Rootfs returns the files for the needs (names of package plan). No needs, and plan.NeedExec
// alone, give an empty tree. Order and repetitions of needs do not matter.
func Rootfs(needs []string, src Sources) (*Tree, error) {
	needs, err := sortNeeds(needs)
	if err != nil {
		return nil, err
	}
	t := &Tree{}
	if err := addOwn(t, needs, src); err != nil {
		return nil, err
	}
	if slices.Contains(needs, plan.NeedCACertificates) {
		if err := addRoots(t); err != nil {
			return nil, err
		}
	}
	if slices.Contains(needs, plan.NeedZoneinfo) {
		if err := addZones(t, src.GOROOT, src.GoVersion); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// RootfsKey returns a key that is equal only if Rootfs returns the same files and components,
// without making most of them. It is empty if the tree would be empty: such an image has no
// rootfs layer. (A tree with only folders makes a layer, but has no components.)
func RootfsKey(needs []string, src Sources) (string, error) {
	needs, err := sortNeeds(needs)
	if err != nil || len(needs) == 0 {
		return "", err
	}
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%q\n%q\n", rootfsFormat, needs, src.KitVersion)
	small := &Tree{}
	if err := addOwn(small, needs, src); err != nil {
		return "", err
	}
	if err := small.WriteTar(h); err != nil {
		return "", err
	}
	if slices.Contains(needs, plan.NeedCACertificates) {
		hashRoots(h)
	}
	if slices.Contains(needs, plan.NeedZoneinfo) {
		db, err := openZones(src.GOROOT, src.GoVersion)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%q\n%x\n", db.release, sha256.Sum256(db.raw))
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// sortNeeds sorts needs and drops repetitions and plan.NeedExec, which has no files.
func sortNeeds(needs []string) ([]string, error) {
	sorted := slices.Sorted(slices.Values(needs))
	sorted = slices.Compact(sorted)
	sorted = slices.DeleteFunc(sorted, func(n string) bool { return n == plan.NeedExec })
	for _, n := range sorted {
		if !slices.Contains(plan.Needs, n) {
			return nil, fmt.Errorf("make the root file system: unknown need %q", n)
		}
	}
	return sorted, nil
}

// own are the nodes that are part of thimble, by need.
var own = map[string][]Node{
	plan.NeedTmp:       {folder("tmp")},
	plan.NeedHome:      {folder(homePath)},
	plan.NeedMIMETypes: {Bytes("etc/mime.types", 0o644, mimeTypes)},
	plan.NeedServices:  {Bytes("etc/protocols", 0o644, protocols), Bytes("etc/services", 0o644, services)},
}

// addOwn adds the nodes of own.
func addOwn(t *Tree, needs []string, src Sources) error {
	version := src.KitVersion
	var nodes []Node
	for _, need := range needs {
		nodes = append(nodes, own[need]...)
		if need == plan.NeedUsers {
			all := MergeAccounts(src.Base)
			nodes = append(nodes, Bytes("etc/group", 0o644, all.Group),
				Bytes("etc/passwd", 0o644, all.Passwd))
		}
	}
	if !slices.ContainsFunc(nodes, func(n Node) bool { return n.Mode.IsRegular() }) {
		for _, n := range nodes {
			if err := t.Add(n); err != nil {
				return err
			}
		}
		return nil
	}
	return t.AddComponent(Component{
		Name:             "thimble-rootfs",
		Version:          version,
		PURL:             genericPURL("thimble-rootfs", version),
		License:          "Apache-2.0",
		Supplier:         "The thimble authors",
		DownloadLocation: "https://github.com/thimble-build/thimble",
		Description:      "users, groups, MIME types and network services, as far as services need them",
	}, nodes...)
}
