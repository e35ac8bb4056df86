// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package performance

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// auditEntry is what is read of a line of the audit log.
type auditEntry struct {
	Verb      string `json:"verb"`
	UserAgent string `json:"userAgent"`
	ObjectRef struct {
		Resource    string `json:"resource"`
		Subresource string `json:"subresource"`
		Namespace   string `json:"namespace"`
		Name        string `json:"name"`
	} `json:"objectRef"`
	ResponseStatus struct {
		Code int `json:"code"`
	} `json:"responseStatus"`
}

// traffic is what programs have asked of the API server in one namespace, without what the bench itself has.
type traffic struct {
	// writes are those that were made, by verb and resource, reads the others. Those that failed count as well: they were work.
	writes, reads map[string]int
	events        int
}

func (t *traffic) count(entry *auditEntry) {
	resource := entry.ObjectRef.Resource
	if entry.ObjectRef.Subresource != "" {
		resource += "/" + entry.ObjectRef.Subresource
	}
	key := entry.Verb + " " + resource
	switch {
	case entry.ObjectRef.Resource == "events":
		t.events++
	case slices.Contains([]string{"get", "list"}, entry.Verb):
		t.reads[key]++
	default:
		t.writes[key]++
	}
}

func total(counts map[string]int) int {
	sum := 0
	for n := range maps.Values(counts) {
		sum += n
	}
	return sum
}

// auditMark is where the audit log ends now.
func (b *bench) auditMark() (int64, error) {
	info, err := os.Stat(b.audit)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// auditPatience is how long a line of the audit log may take after the answer to its request.
const auditPatience = time.Minute

// auditSince counts what the audit log has of a namespace since a mark. All has been written when a request that is made now has.
func (b *bench) auditSince(ctx context.Context, mark int64, namespace string) (*traffic, error) {
	last := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "end-of-audit-"}}
	if err := b.cluster.Client.Create(ctx, last); err != nil {
		return nil, err
	}
	if err := b.cluster.Client.Delete(ctx, last); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, auditPatience)
	defer cancel()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		found, complete, err := b.readAudit(mark, namespace, last.Name)
		if err != nil || complete {
			return found, err
		}
		select {
		case <-ctx.Done():
			return nil, errors.New("the audit log does not tell of the last request")
		case <-ticker.C:
		}
	}
}

func (b *bench) readAudit(mark int64, namespace, last string) (found *traffic, complete bool, err error) {
	file, err := os.Open(b.audit)
	if err != nil {
		return nil, false, err
	}
	defer func() { _ = file.Close() }()
	if _, err := file.Seek(mark, io.SeekStart); err != nil {
		return nil, false, err
	}
	found = &traffic{writes: map[string]int{}, reads: map[string]int{}}
	lines := bufio.NewReader(file)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return found, complete, nil // what has no end of line yet is being written
		}
		if err != nil {
			return nil, false, err
		}
		entry := &auditEntry{}
		if err := json.Unmarshal(line, entry); err != nil {
			return nil, false, fmt.Errorf("the audit log has a line that is no JSON: %w", err)
		}
		switch {
		case entry.ObjectRef.Namespace != namespace:
		case entry.ObjectRef.Name == last && entry.Verb == "delete":
			complete = true
		case !strings.HasPrefix(entry.UserAgent, rest.DefaultKubernetesUserAgent()):
			found.count(entry)
		}
	}
}
