package api

import (
	"net/http"
	"time"
)

type timeResponse struct {
	Zone         string    `json:"zone"`
	Abbreviation string    `json:"abbreviation"`
	OffsetSecond int       `json:"utc_offset_seconds"`
	Time         time.Time `json:"time"`
	Unix         int64     `json:"unix"`
}

// time tells the time in ?zone=, a name of the IANA zone database; UTC if none.
func (a *API) time(w http.ResponseWriter, r *http.Request) error {
	zone := r.URL.Query().Get("zone")
	if zone == "Local" {
		return problem(http.StatusBadRequest, "Local is not a zone but whatever this machine is set to")
	}
	loc, err := a.location(zone)
	if err != nil {
		// Every zone database has Etc/UTC: without it there is none.
		if _, none := a.location("Etc/UTC"); none != nil {
			return problem(http.StatusInternalServerError, "no zone database on this machine: %v", err)
		}
		return problem(http.StatusBadRequest, "unknown zone %q; it should look like Europe/Berlin", zone)
	}
	now := a.now().In(loc)
	name, offset := now.Zone()
	return writeJSON(w, http.StatusOK, timeResponse{
		Zone: loc.String(), Abbreviation: name, OffsetSecond: offset, Time: now, Unix: now.Unix(),
	})
}
