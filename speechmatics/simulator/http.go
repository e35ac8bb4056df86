// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// routes is the table of everything that the server answers.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /v2/jobs", s.api(OperationCreate, s.createJob))
	mux.Handle("GET /v2/jobs", s.api(OperationList, s.listJobs))
	mux.Handle("GET /v2/jobs/{id}", s.api(OperationGet, s.getJob))
	mux.Handle("GET /v2/jobs/{id}/transcript", s.api(OperationTranscript, s.getTranscript))
	mux.Handle("GET /v2/jobs/{id}/log", s.api(OperationLog, s.getLog))
	// What there is not is answered 404, among it the signed URLs of outputs, which the service no longer has.
	mux.Handle("/v2/", s.api(operationOther, s.notFound))
	switch s.options.Backend {
	case BackendWorker:
		s.workerRoutes(mux)
	case BackendAppliance:
		mux.Handle("DELETE /v2/jobs/{id}", s.api(OperationDelete, s.deleteJob))
	default:
		s.hostedRoutes(mux)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { s.writeError(w, http.StatusNotFound, "Not Found", "") })
	mux.Handle("/admin/", s.admin())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, "ok\n") })
	return mux
}

// hostedRoutes are what only the hosted service answers.
func (s *Server) hostedRoutes(mux *http.ServeMux) {
	mux.Handle("DELETE /v2/jobs/{id}", s.api(OperationDelete, s.deleteJob))
	mux.Handle("GET /v2/jobs/{id}/data", s.api(OperationData, s.getData))
	mux.Handle("GET /v2/jobs/{id}/text", s.api(OperationText, s.getText))
	mux.Handle("GET /v2/jobs/{id}/alignment", s.api(OperationAlignment, s.getAlignment))
	mux.Handle("POST /v1/api_keys", s.api(OperationKey, s.createKey))
	mux.Handle("GET /v2/usage", s.api(OperationUsage, s.getUsage))
	mux.Handle("GET /v1/discovery/features", s.withFaults(OperationDiscovery, http.HandlerFunc(s.discovery)))
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := s.clock.Now()
	w.Header().Set("Server", serverName)
	w.Header().Set("Request-Id", newRequestID())
	w.Header().Set("Date", start.UTC().Format(http.TimeFormat))
	// The documentation's examples end in a slash, the SDKs' requests do not.
	if path := strings.TrimRight(r.URL.Path, "/"); path != "" && path != r.URL.Path {
		r = r.Clone(r.Context())
		r.URL.Path, r.URL.RawPath = path, strings.TrimRight(r.URL.RawPath, "/")
	}
	recorder := &statusRecorder{ResponseWriter: w, vendor: s.Behaviour().MediaType == MediaTypeVendor && strings.HasPrefix(r.URL.Path, "/v2/")}
	s.handler.ServeHTTP(recorder, r)
	s.logRequest(r, recorder, s.clock.Since(start))
}

func (s *Server) logRequest(r *http.Request, recorder *statusRecorder, took time.Duration) {
	path := r.URL.Path
	if strings.HasPrefix(path, adminKeysPath) {
		path = adminKeysPath + "…" // the rest is a key
	}
	s.log.Info("request", "method", r.Method, "path", path, "status", recorder.status, "took", took,
		"requestID", recorder.Header().Get("Request-Id"))
}

// statusRecorder remembers the status for the log; 0 is a connection that was broken off. It also puts the vendor's
// type in the place of JSON's, where that is wanted.
type statusRecorder struct {
	http.ResponseWriter
	status int
	vendor bool
}

func (w *statusRecorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	if w.vendor && w.Header().Get("Content-Type") == "application/json" {
		w.Header().Set("Content-Type", "application/vnd.speechmatics.v2+json")
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusRecorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController find the connection.
func (w *statusRecorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// caller is who sends a request.
type caller struct {
	project string
	// clientRef restricts a temporary key to the jobs that were created with it; empty is no restriction.
	clientRef string
	// temporary is a key that expires.
	temporary bool
}

// sees says whether a job is visible to the caller.
func (c caller) sees(j *job) bool {
	return j.project == c.project && (c.clientRef == "" || j.clientRef == c.clientRef)
}

// apiHandler answers a request of a caller.
type apiHandler func(w http.ResponseWriter, r *http.Request, by caller)

// api puts what all operations have in common before a handler: faults, the key, the rate limit.
func (s *Server) api(operation Operation, handle apiHandler) http.Handler {
	return s.withFaults(operation, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.life.Err() != nil {
			s.writeError(w, http.StatusServiceUnavailable, "Service Unavailable", "")
			return
		}
		key, ok := s.keys.of(r)
		if !ok && s.onPremises() && s.keys.empty() {
			key, ok = &s.anonymous, true
		}
		if !ok {
			s.edgeError(w, http.StatusUnauthorized, "Unauthorized")
			return
		}
		if key.expired(s.clock.Now()) {
			s.refuseExpired(w)
			return
		}
		if !key.allow(operation, s.clock.Now()) {
			s.tooManyRequests(w)
			return
		}
		handle(w, r, key.caller)
	}))
}

// apiError is an error's body as the service writes it.
type apiError struct {
	Code   int    `json:"code"`
	Error  string `json:"error"`
	Detail string `json:"detail,omitempty"`
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	encoded, err := json.Marshal(body)
	if err != nil { // only values of this package's own types come here
		http.Error(w, "simulator: "+err.Error(), http.StatusInternalServerError)
		return
	}
	write(w, status, "application/json", append(encoded, '\n'))
}

func writeText(w http.ResponseWriter, status int, text string) {
	write(w, status, "text/plain; charset=utf-8", []byte(text))
}

// write sends a whole response. That the peer may be gone is its own affair.
func write(w http.ResponseWriter, status int, contentType string, body []byte) {
	if contentType != "" {
		w.Header().Set("Content-Type", contentType)
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

func (s *Server) writeError(w http.ResponseWriter, status int, message, detail string) {
	if s.isWorker() {
		if detail != "" {
			message += ": " + detail
		}
		writeJSON(w, status, map[string]string{"detail": message})
		return
	}
	writeJSON(w, status, apiError{Code: status, Error: message, Detail: detail})
}

// edgeError answers what the tier before the service answers: not always JSON.
func (s *Server) edgeError(w http.ResponseWriter, status int, message string) {
	form := s.Behaviour().EdgeErrors
	if s.onPremises() {
		form = BodyJSON // nothing stands before the service
	}
	s.writeErrorAs(w, form, status, message)
}

func (s *Server) tooManyRequests(w http.ResponseWriter) {
	s.addRetryAfter(w)
	s.edgeError(w, http.StatusTooManyRequests, "Too Many Requests")
}

func (s *Server) addRetryAfter(w http.ResponseWriter) {
	if after := time.Duration(s.Behaviour().RetryAfter); after > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(int64((after+time.Second-1)/time.Second), 10))
	}
}

// writeErrorAs answers an error in one of the forms that are seen in the wild.
func (s *Server) writeErrorAs(w http.ResponseWriter, form BodyForm, status int, message string) {
	switch form {
	case BodyHTML:
		write(w, status, "text/html", []byte(htmlError(status)))
	case BodyText:
		writeText(w, status, message+"\n")
	case BodyDetail:
		writeJSON(w, status, map[string]string{"detail": message})
	case BodyEmpty:
		write(w, status, "", nil)
	default:
		s.writeError(w, status, message, "")
	}
}

// htmlError is a page as nginx writes it.
func htmlError(status int) string {
	text := http.StatusText(status)
	if status == http.StatusUnauthorized {
		text = "Authorization Required"
	}
	title := html.EscapeString(fmt.Sprintf("%d %s", status, text))
	return "<html>\r\n<head><title>" + title + "</title></head>\r\n<body>\r\n<center><h1>" + title +
		"</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
}

func (s *Server) notFound(w http.ResponseWriter, _ *http.Request, _ caller) {
	s.writeError(w, http.StatusNotFound, "Not Found", "")
}

func (s *Server) notImplemented(w http.ResponseWriter, _ *http.Request, _ caller) {
	s.writeError(w, http.StatusNotImplemented, "Not Implemented", "")
}

// newRequestID returns 32 hexadecimal digits.
func newRequestID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	return hex.EncodeToString(id[:])
}
