package resolve

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var (
	// licenseTokens matches words and parentheses. licenseID matches an identifier of the SPDX
	// list or a reference to a licence that is not in the list.
	licenseTokens = regexp.MustCompile(`[()]|[^()\s]+`)
	licenseID     = regexp.MustCompile(`^(DocumentRef-[A-Za-z0-9.-]+:)?[A-Za-z0-9][A-Za-z0-9.-]*\+?$`)
)

// checkLicenses refuses text that is not an SPDX expression (SPDX 2.3, annex D). It does not
// check that the identifiers exist.
func checkLicenses(expression string) error {
	if expression == "" || expression == "NOASSERTION" || expression == "NONE" {
		return nil
	}
	left := licenseTokens.FindAllString(expression, -1)
	if !compound(&left) || len(left) > 0 {
		return fmt.Errorf(
			"licenses %q is not an SPDX expression, such as Apache-2.0 or MIT AND (BSD-3-Clause OR "+
				"GPL-2.0-only)", expression)
	}
	return nil
}

// compound reads any number of operands joined by AND and OR.
func compound(left *[]string) bool {
	for operand(left) {
		if len(*left) == 0 || (*left)[0] != "AND" && (*left)[0] != "OR" {
			return true
		}
		*left = (*left)[1:]
	}
	return false
}

// operand reads an identifier, with its exception if it has one, or an expression in
// parentheses.
func operand(left *[]string) bool {
	next := func() (token string) {
		if len(*left) > 0 {
			token, *left = (*left)[0], (*left)[1:]
		}
		return token
	}
	isID := func(token string) bool {
		return licenseID.MatchString(token) &&
			!slices.Contains([]string{"AND", "OR", "WITH"}, strings.ToUpper(token))
	}
	token := next()
	if token == "(" {
		return compound(left) && next() == ")"
	}
	if !isID(token) {
		return false
	}
	if len(*left) > 0 && (*left)[0] == "WITH" {
		next()
		return isID(next())
	}
	return true
}
