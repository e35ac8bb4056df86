// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package notification

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
)

const (
	// notificationsRoot is where notifications are sent to, storesRoot where the manager asks about a job's store.
	notificationsRoot = "/v1/notifications"
	storesRoot        = "/v1/stores"

	// targetSegments is how many segments follow the root in a path.
	targetSegments = 4

	// ParameterID is the query parameter with the job's ID, which Speechmatics appends to the address of a notification.
	ParameterID = "id"
	// ParameterStatus is the query parameter with the outcome, which it appends too.
	ParameterStatus = "status"

	// MaxAttempt is the highest number that an attempt can have. It is far above what spec.backoffLimit admits.
	MaxAttempt = 1000

	// maxJobName is the longest name of a TranscriptionJob; the API server enforces it, because the name is a label.
	maxJobName = validation.LabelValueMaxLength
)

// uidPattern is a UUID in canonical lower-case form, which is how Kubernetes writes an object's UID.
var uidPattern = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// Target is the attempt of a job that a notification is about.
type Target struct {
	// Namespace and Name of the TranscriptionJob.
	Namespace, Name string
	// UID of the TranscriptionJob: a namesake created later is another job.
	UID types.UID
	// Attempt is the number of the submission, from 1 to MaxAttempt.
	Attempt int32
}

// ParseTarget reads a target from the segments of a path. It is strict, so that every target has exactly one spelling
// and one token: a namespace is a DNS label, a name a DNS subdomain of at most 63 characters, a UID a lower-case UUID and an
// attempt a decimal number from 1 to MaxAttempt without sign or leading zeros. Errors do not repeat the input.
func ParseTarget(namespace, name, uid, attempt string) (Target, error) {
	if len(validation.IsDNS1123Label(namespace)) > 0 {
		return Target{}, errors.New("the namespace is not a DNS label")
	}
	if len(name) > maxJobName || len(validation.IsDNS1123Subdomain(name)) > 0 {
		return Target{}, fmt.Errorf("the name is not a DNS subdomain of at most %d characters", maxJobName)
	}
	parsedUID, err := parseUID(uid)
	if err != nil {
		return Target{}, err
	}
	parsedAttempt, err := parseAttempt(attempt)
	if err != nil {
		return Target{}, err
	}
	return Target{Namespace: namespace, Name: name, UID: parsedUID, Attempt: parsedAttempt}, nil
}

// ParsePath reads the target from the path of a notification. There is one spelling of it; any other path is an error, so that
// what the token covers and what is done are the same.
func ParsePath(path string) (Target, error) { return parseSegments(path, notificationsRoot) }

// ParseStorePath reads the target from the path of a question about a store, as strictly as ParsePath.
func ParseStorePath(path string) (Target, error) { return parseSegments(path, storesRoot) }

func parseSegments(path, root string) (Target, error) {
	rest, ok := strings.CutPrefix(path, root+"/")
	segments := strings.SplitN(rest, "/", targetSegments+1)
	if !ok || len(segments) != targetSegments {
		return Target{}, errors.New("the path is not one of the receiver's")
	}
	return ParseTarget(segments[0], segments[1], segments[2], segments[3])
}

// Path is where notifications about the target are sent to, below the receiver's base URL.
func (t Target) Path() string { return notificationsRoot + t.segments() }

// StorePath is where the manager asks whether the target's transcripts could be stored, before it spends money on them.
func (t Target) StorePath() string { return storesRoot + t.segments() }

func (t Target) segments() string {
	return fmt.Sprintf("/%s/%s/%s/%d", t.Namespace, t.Name, t.UID, t.Attempt)
}

// CallbackURL is the address that Speechmatics is to send notifications about the target to: base, of which a sub-path is
// kept, and the target's path. The base must be an absolute http or https URL without user name, query and fragment.
func CallbackURL(base string, t Target) (string, error) {
	u, err := parseBase(base)
	if err != nil {
		return "", err
	}
	return u.JoinPath(t.Path()).String(), nil
}

// DeliveryURL is the address that the manager delivers to what a notification did not bring: as CallbackURL, with the
// job's ID and the outcome, which Speechmatics appends itself.
func DeliveryURL(base string, t Target, jobID string, outcome v1alpha1.NotificationOutcome) (string, error) {
	u, err := parseBase(base)
	if err != nil {
		return "", err
	}
	u = u.JoinPath(t.Path())
	u.RawQuery = url.Values{ParameterID: {jobID}, ParameterStatus: {string(outcome)}}.Encode()
	return u.String(), nil
}

// StoreURL is the address at which the manager asks whether the target's transcripts could be stored. See CallbackURL for base.
func StoreURL(base string, t Target) (string, error) {
	u, err := parseBase(base)
	if err != nil {
		return "", err
	}
	return u.JoinPath(t.StorePath()).String(), nil
}

// parseBase checks a base URL. Its errors do not repeat the URL, which may hold a password.
func parseBase(base string) (*url.URL, error) {
	u, err := url.Parse(base)
	switch {
	case err != nil:
		return nil, errors.New("the receiver's base URL is not a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("the receiver's base URL is not an absolute http or https URL")
	case u.Hostname() == "":
		return nil, errors.New("the receiver's base URL has no host")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, errors.New("the receiver's base URL must not have a user name, a query or a fragment")
	}
	return u, nil
}

func parseUID(s string) (types.UID, error) {
	if !uidPattern.MatchString(s) {
		return "", errors.New("the UID is not a UUID in lower case")
	}
	return types.UID(s), nil
}

func parseAttempt(s string) (int32, error) {
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil || n < 1 || n > MaxAttempt || strings.TrimLeft(s, "+0") != s {
		return 0, fmt.Errorf("the attempt is not a plain number from 1 to %d", MaxAttempt)
	}
	return int32(n), nil
}
