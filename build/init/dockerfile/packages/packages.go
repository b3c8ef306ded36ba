// Package packages knows the packages of Linux distributions: which ones a command installs, and
// which packages of Debian an image of thimble needs instead. It takes the words of commands such
// as apk add and apt-get install. It asks no package index.
package packages

import (
	"cmp"
	"slices"
	"strings"
)

// unneeded are packages that an image of thimble does not need, with the reason.
var unneeded = map[string]string{}

func init() {
	for reason, names := range map[string]string{
		"thimble adds it if the binary needs it": "ca-certificates ca-certificates-bundle tzdata mailcap " +
			"mime-support media-types ssl_client openssl-dev " +
			"ca-certificates-cacert netbase libc-bin base-files alpine-baselayout shared-mime-info",
		"the binary is static": "libc6-compat gcompat musl libc6 libc-utils glibc libgcc libstdc++ " +
			"libgcc-s1 libstdc++6 musl-utils linux-headers",
		"only for the build": "git-lfs make gcc g++ build-base build-essential musl-dev libc-dev libc6-dev " +
			"linux-headers go golang pkgconf pkg-config cmake autoconf automake " +
			"upx nodejs npm yarn gcc-aarch64-linux-gnu crossbuild-essential-arm64 protobuf protobuf-dev " +
			"protoc",
		"only to set up the image": "libcap libcap2-bin libcap-utils libcap-setcap shadow shadow-utils " +
			"passwd adduser apt-utils apt-transport-https lsb-release software-properties-common " +
			"binutils file unzip zip xz xz-utils tar gzip bzip2 findutils sed grep gawk",
		"the program starts without it": "tini dumb-init su-exec gosu catatonit s6-overlay runit",
		"a tool for people: see mage debug": "curl wget bash bash-completion busybox busybox-extras " +
			"busybox-static coreutils jq yq vim nano less procps htop bind-tools dnsutils " +
			"iputils iputils-ping net-tools strace tcpdump netcat netcat-openbsd telnet lsof nmap tree " +
			"bind9-host util-linux socat iproute2 sudo zsh mtr lftp dpkg apk-tools openssl",
	} {
		for name := range strings.FieldsSeq(names) {
			unneeded[name] = reason
		}
	}
}

// toDebian are the packages of Alpine (and Fedora) whose names in Debian are different. Others
// have the same name.
var toDebian = map[string]string{
	"openssh": "openssh-client", "openssh-client-default": "openssh-client",
	"openssh-keygen": "openssh-client", "openssh-clients": "openssh-client",
	"openssh-client-common": "openssh-client",
	"sqlite":                "sqlite3", "sqlite-libs": "libsqlite3-0", "sqlite-dev": "libsqlite3-0",
	"gnupg2": "gnupg",
	"gpg":    "gpg", "postgresql-client": "postgresql-client",
	"postgresql16-client": "postgresql-client", "postgresql15-client": "postgresql-client",
	"postgresql17-client": "postgresql-client", "mysql-client": "default-mysql-client",
	"mariadb-client": "mariadb-client",
	"imagemagick":    "imagemagick", "vips": "libvips42t64", "libpq": "libpq5", "python3": "python3",
	"py3-pip": "python3-pip", "docker-cli": "docker-cli", "docker": "docker-cli",
	"chromium": "chromium", "font-noto": "fonts-noto-core", "ttf-freefont": "fonts-freefont-ttf",
	"ttf-dejavu": "fonts-dejavu-core", "fontconfig": "fontconfig", "libwebp-tools": "webp",
	"libjpeg-turbo-utils": "libjpeg-turbo-progs", "e2fsprogs-extra": "e2fsprogs", "lvm2": "lvm2",
	"nfs-utils": "nfs-common", "cifs-utils": "cifs-utils", "iptables-legacy": "iptables",
	"ip6tables": "iptables", "wireguard-tools-wg": "wireguard-tools",
	"wireguard-tools-wg-quick": "wireguard-tools", "krb5-libs": "libkrb5-3", "zlib": "zlib1g",
	"libxml2": "libxml2", "libxslt": "libxslt1.1",
	"poppler-utils": "poppler-utils", "exiftool": "libimage-exiftool-perl",
	"perl-image-exiftool": "libimage-exiftool-perl", "linux-pam": "libpam-modules", "mercurial": "mercurial",
	"subversion":  "subversion",
	"asciidoctor": "asciidoctor", "libusb": "libusb-1.0-0", "eudev-libs": "libudev1",
	"libpcap": "libpcap0.8t64", "pcre": "libpcre3", "pcre2": "libpcre2-8-0", "icu-libs": "libicu76",
	"openjdk17-jre": "default-jre-headless",
	"openjdk11-jre": "default-jre-headless", "aws-cli": "awscli", "gettext": "gettext-base", "rsync": "rsync",
	"redis": "redis-tools", "p7zip": "7zip", "rclone": "rclone", "restic": "restic",
	"taglib": "libtag2", "mpv": "mpv",
}

// libraries reports whether a package contains shared libraries, which a static binary does not
// need.
func libraries(name string) bool {
	return strings.HasSuffix(name, "-dev") || strings.HasSuffix(name, "-devel") ||
		strings.HasSuffix(name, "-libs") || strings.HasSuffix(name, "-static") || slices.Contains(
		[]string{"zlib", "libpq", "pcre", "pcre2", "taglib", "vips", "libxml2", "libxslt", "libusb",
			"libpcap", "libseccomp", "krb5-libs"}, name)
}

// compilers are packages whose presence says that the program is compiled with cgo.
var compilers = []string{"gcc", "g++", "build-base", "build-essential", "musl-dev", "libc-dev",
	"libc6-dev", "clang", "zig"}

// Installed returns the packages that a command installs. is reports whether the command is a
// package manager.
func Installed(words []string) (names []string, is bool) {
	if len(words) == 0 {
		return nil, false
	}
	switch words[0] {
	case "apk", "apt-get", "apt", "aptitude", "dnf", "yum", "microdnf", "zypper", "tdnf", "pacman", "xx-apk",
		"xx-apt", "xx-apt-get":
	default:
		return nil, false
	}
	verb := ""
	for i := 1; i < len(words); i++ {
		w := words[i]
		switch {
		case w == "-t" || w == "--virtual" || w == "--repository" || w == "-X" || w == "-o" ||
			w == "--target-release" || w == "--setopt":
			i++
		case strings.HasPrefix(w, "-"):
		case verb == "":
			verb = w
		default:
			names = append(names, w)
		}
	}
	switch verb {
	case "add", "install":
		return names, true
	}
	return nil, true
}

// plainName returns a name without version, architecture and repository.
func plainName(name string) string {
	if i := strings.IndexAny(name, "=<>~@"); i > 0 {
		name = name[:i]
	}
	name, _, _ = strings.Cut(name, ":")
	return name
}

// Compiler reports whether a C compiler is among the packages.
func Compiler(names []string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return slices.Contains(compilers, plainName(n)) })
}

// Needed is what an image needs of the packages that a command installs.
type Needed struct {
	// Debian are the packages of Debian with the same content.
	Debian []string
	// Unclear are names that contain variables without a value.
	Unclear []string
	// Reasons say why the others are not needed, with their names.
	Reasons []string
}

// Translate returns what an image needs of some packages. A binary with cgo needs libraries.
func Translate(names []string, cgo bool) Needed {
	var n Needed
	for _, name := range names {
		name = plainName(name)
		switch {
		case name == "" || strings.HasPrefix(name, "."):
		case strings.ContainsAny(name, "$/\ue000"):
			n.Unclear = append(n.Unclear, name)
		case unneeded[name] != "":
			n.leaveOut(name, unneeded[name])
		case libraries(name) && !cgo:
			n.leaveOut(name, "the binary is static")
		default:
			n.Debian = append(n.Debian, cmp.Or(toDebian[name], name))
		}
	}
	return n
}

// leaveOut adds a reason, or a name to the same reason.
func (n *Needed) leaveOut(name, reason string) {
	for i, text := range n.Reasons {
		if rest, ok := strings.CutSuffix(text, ": "+reason); ok {
			n.Reasons[i] = rest + ", " + name + ": " + reason
			return
		}
	}
	n.Reasons = append(n.Reasons, name+": "+reason)
}
