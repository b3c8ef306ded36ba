package sbom

import (
	"bytes"
	"cmp"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/spdx/tools-golang/spdx/v2/common"
	spdx "github.com/spdx/tools-golang/spdx/v2/v2_3"
)

// SPDX returns the SPDX 2.3 JSON document. Facts without a field in the format are annotations
// "name=value", such as go.sum's h1, which is not the checksum of a file.
func SPDX(in Input) ([]byte, error) {
	inv, err := newInventory(in)
	if err != nil {
		return nil, fmt.Errorf("write SPDX: %w", err)
	}
	tool := "thimble-" + cmp.Or(inv.kit.Version, "unknown")
	doc := &spdx.Document{
		SPDXVersion:    spdx.Version,
		DataLicense:    spdx.DataLicense,
		SPDXIdentifier: "DOCUMENT",
		DocumentName:   inv.application.name + "-" + inv.application.version + "-" + in.Platform.Key(),
		CreationInfo: &spdx.CreationInfo{
			Creators: []common.Creator{{CreatorType: "Tool", Creator: tool}},
			Created:  inv.created,
		},
	}
	if inv.author.Name != "" {
		author := common.Creator{CreatorType: "Organization", Creator: inv.author.Name}
		doc.CreationInfo.Creators = append(doc.CreationInfo.Creators, author)
	}

	w := &spdxWriter{doc: doc, tool: tool, ids: map[string]common.ElementID{}}
	app := inv.application
	all := append([]*item{app}, inv.items...)
	for _, it := range all {
		w.ids[it.key] = spdxID(it)
	}
	for _, it := range all {
		w.add(it)
	}
	binary := doc.Packages[0]
	binary.PackageFileName = "." + app.files[0].path
	binary.PackageChecksums = checksums(app.files[0])
	w.relate("DOCUMENT", common.TypeRelationshipDescribe, w.ids[app.key])
	w.relate(fileID(app.files[0]), common.TypeRelationshipGeneratedFrom, w.ids[builtFrom(in)])
	slices.SortFunc(doc.Files, func(a, b *spdx.File) int { return strings.Compare(a.FileName, b.FileName) })
	slices.SortFunc(doc.Relationships, func(a, b *spdx.Relationship) int {
		return cmp.Or(
			strings.Compare(string(a.RefA.ElementRefID), string(b.RefA.ElementRefID)),
			strings.Compare(a.Relationship, b.Relationship),
			strings.Compare(string(a.RefB.ElementRefID), string(b.RefB.ElementRefID)))
	})

	doc.DocumentNamespace = "https://" + kitPath + "/spdx/" + doc.DocumentName + "-" + unidentified
	content, err := encode(doc)
	if err != nil {
		return nil, fmt.Errorf("write SPDX: %w", err)
	}
	return identify("spdx", content), nil
}

func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

type spdxWriter struct {
	doc  *spdx.Document
	tool string
	ids  map[string]common.ElementID // by key
}

var spdxKind = map[purpose]string{
	library: "Module", data: "Component", osPackage: "Package", container: "Image",
}

func spdxID(it *item) common.ElementID {
	if it.purpose == application {
		return "Application"
	}
	kind := spdxKind[it.purpose]
	name := it.key
	if _, rest, ok := strings.Cut(it.key, ":"); ok {
		name = rest
	}
	return common.ElementID(elementID(kind, name))
}

func fileID(f file) common.ElementID { return common.ElementID(elementID("File", f.path)) }

var spdxPurpose = map[purpose]string{
	application: "APPLICATION", library: "LIBRARY", data: "OTHER", osPackage: "LIBRARY",
	container: "CONTAINER",
}

func (w *spdxWriter) add(it *item) {
	p := &spdx.Package{
		PackageName:               it.name,
		PackageSPDXIdentifier:     w.ids[it.key],
		PackageVersion:            it.version,
		PackageSupplier:           &common.Supplier{Supplier: noAssertion},
		PackageDownloadLocation:   cmp.Or(it.location, noAssertion),
		IsFilesAnalyzedTagPresent: true,
		PackageLicenseConcluded:   cmp.Or(it.concluded, noAssertion),
		PackageLicenseDeclared:    cmp.Or(it.declared, noAssertion),
		PackageCopyrightText:      cmp.Or(strings.Join(it.copyrights, "\n"), noAssertion),
		PackageSummary:            it.description,
		PrimaryPackagePurpose:     spdxPurpose[it.purpose],
	}
	if it.supplier.Name != "" {
		p.PackageSupplier = &common.Supplier{SupplierType: "Organization", Supplier: it.supplier.Name}
	}
	if it.purl != "" {
		p.PackageExternalReferences = []*spdx.PackageExternalReference{{
			Category: common.CategoryPackageManager, RefType: common.TypePackageManagerPURL, Locator: it.purl,
		}}
	}
	for _, f := range it.facts {
		p.Annotations = append(p.Annotations, spdx.Annotation{
			Annotator:         common.Annotator{AnnotatorType: "Tool", Annotator: w.tool},
			AnnotationDate:    w.doc.CreationInfo.Created,
			AnnotationType:    "OTHER",
			AnnotationComment: f.name + "=" + f.value,
		})
	}
	if it.replaces != nil {
		p.PackageSourceInfo = "linked in place of " + it.replaces.name + " " + it.replaces.version
	}
	if it.builtFrom != "" {
		p.PackageSourceInfo = "built package from: " + it.builtFrom
	}
	if it.sha256 != "" {
		p.PackageChecksums = []common.Checksum{{Algorithm: common.SHA256, Value: it.sha256}}
	}
	if len(it.files) > 0 {
		p.FilesAnalyzed = true
		p.PackageVerificationCode = verificationCode(it.files)
	}
	w.doc.Packages = append(w.doc.Packages, p)
	for _, f := range it.files {
		w.doc.Files = append(w.doc.Files, spdxFile(f, it))
		w.relate(w.ids[it.key], common.TypeRelationshipContains, fileID(f))
	}
	for _, key := range it.dependsOn {
		w.relate(w.ids[it.key], common.TypeRelationshipDependsOn, w.ids[key])
	}
}

func (w *spdxWriter) relate(a common.ElementID, how string, b common.ElementID) {
	w.doc.Relationships = append(w.doc.Relationships, &spdx.Relationship{
		RefA: common.DocElementID{ElementRefID: a}, RefB: common.DocElementID{ElementRefID: b},
		Relationship: how,
	})
}

// spdxFile describes a file. A data file has its component's licence; the parts of a binary have
// licences of their own.
func spdxFile(f file, owner *item) *spdx.File {
	out := &spdx.File{
		FileName:           "." + f.path,
		FileSPDXIdentifier: fileID(f),
		Checksums:          checksums(f),
		LicenseConcluded:   noAssertion,
		LicenseInfoInFiles: []string{noAssertion},
		FileCopyrightText:  noAssertion,
	}
	if owner.purpose >= data {
		out.LicenseConcluded = cmp.Or(owner.concluded, noAssertion)
	}
	switch {
	case f.executable && path.Ext(f.path) == "":
		out.FileTypes = []string{"BINARY"}
	case isArchive(f.path):
		out.FileTypes = []string{"ARCHIVE"}
	}
	return out
}

func checksums(f file) []common.Checksum {
	var sums []common.Checksum
	for _, c := range []common.Checksum{
		{Algorithm: common.SHA1, Value: f.sha1},
		{Algorithm: common.SHA256, Value: f.sha256},
		{Algorithm: common.SHA512, Value: f.sha512},
	} {
		if c.Value != "" {
			sums = append(sums, c)
		}
	}
	return sums
}

// verificationCode returns the code of clause 7.9: the SHA-1 of the files' sorted SHA-1s.
func verificationCode(files []file) *common.PackageVerificationCode {
	var sums []string
	for _, f := range files {
		sums = append(sums, f.sha1)
	}
	slices.Sort(sums)
	code := sha1.Sum([]byte(strings.Join(sums, "")))
	return &common.PackageVerificationCode{Value: hex.EncodeToString(code[:])}
}
