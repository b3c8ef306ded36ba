// Package distribution speaks HTTP with one repository of a container registry, as the OCI
// distribution-spec has it: how a request is made, answered, repeated in an outage, and how its
// failure is explained. It knows manifests and blobs, and nothing of what they are for.
//
// [Open] logs in once and gives a [Client]. Requests of [Client.Ask] and those that
// go-containerregistry makes with [Client.RemoteOptions] take the same way:
//
//	patient   repeats it in an outage, unless the step is optional
//	heads     asks with GET where the registry does not answer HEAD
//	tokens    asks for a token for the one repository where one for several is refused
//	wire      allows plain HTTP only where it may be, waits when it is asked to, ends what is too slow
//
// No error holds what a registry, a token service or a credential helper wrote:
// only the status, the codes that the specification defines, and our own words.
// Nothing is read from the environment; the caller passes a keychain and a proxy.
package distribution
