// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/internal/version"
	"github.com/transcription-operator/transcription-operator/speechmatics"
)

// regionURL is the address of a region of Speechmatics' service. A job lives in the region of the host that created it.
const regionURL = "https://%s.asr.api.speechmatics.com/v2"

// maxAPIKeyBytes bounds an API key; temporary keys, which are JWTs, have under 2 KiB.
const maxAPIKeyBytes = 8 << 10

// provider is what reaches Speechmatics for one account.
type provider struct {
	client  *speechmatics.Client
	backend speechmatics.Backend
	account v1alpha1.ResolvedAccountReference
	// namespace of the account; empty for a cluster account.
	namespace string
	baseURL   string
	// keyFingerprint identifies the key without revealing it; noKeyFingerprint if the account has none.
	keyFingerprint string
	// callbackURL is the webhook receiver's public address; empty if no notification is to be asked for.
	callbackURL  string
	pollInterval time.Duration
	// trust identifies whose certificates are believed.
	trust  string
	limits *limits
}

// reference is what a job's status remembers of the account that it was submitted with.
func (p *provider) reference() *v1alpha1.ResolvedAccountReference {
	ref := p.account
	ref.BaseURL, ref.KeyFingerprint = ptr.To(p.baseURL), ptr.To(p.keyFingerprint)
	return &ref
}

// accountError is the error of an account that cannot be used until somebody changes something.
type accountError struct {
	reason  string
	message string
}

func (e *accountError) Error() string { return e.message }

func accountErrorf(reason, format string, args ...any) *accountError {
	return &accountError{reason: reason, message: fmt.Sprintf(format, args...)}
}

// providers makes and keeps the providers of all accounts. Secrets are read by name, without a cache, and again after
// SecretInterval, or at once after suspect.
type providers struct {
	secrets client.Reader
	options Options
	// accounts has accounts reconciled whose key may have been refused, so that it is tried at once.
	accounts map[v1alpha1.AccountKind]*waker
	// jobs has jobs reconciled whose turn to be submitted has come.
	jobs *waker
	// submitter marks what is submitted.
	submitter *submitter
	// observers look at the jobs that are running.
	observers *observers
	// crew are the workers that may be busy with providers.
	crew *crew
	// active reads which jobs are or may be at the provider, to count them after a restart.
	active func(context.Context) (map[types.UID]activeJob, error)
	// waited is told how long requests wait for their turns.
	waited func(kind string, d time.Duration)

	stockMu    sync.Mutex
	stockTaken bool

	mu      sync.Mutex
	entries map[types.UID]providerEntry
	limits  map[string]*limits
	// forgotten are the accounts that were deleted last, the latest at the end.
	forgotten []types.UID
	// stock are the jobs that were at the provider when this manager became the leader, as far as they have not ended.
	stock map[types.UID]activeJob
}

type providerEntry struct {
	provider   *provider
	generation int64
	readAt     time.Time
	// doubted means that the provider refused the key since it was last tried; trying, that it is about to be tried, so that nobody else
	// sends anything with it.
	doubted, trying bool
	// refused is the provider whose key was refused when it was tried last; nil if it was not.
	refused *provider
	// broken means that there was no key to try, or nothing to try it with: the Secret is missing, or the account asks for what it may not.
	broken bool
}

func newProviders(secrets client.Reader, options Options) *providers {
	ps := &providers{
		secrets:   secrets,
		options:   options,
		accounts:  map[v1alpha1.AccountKind]*waker{v1alpha1.NamespacedAccount: {}, v1alpha1.ClusterAccount: {}},
		jobs:      &waker{},
		observers: newObservers(options),
		crew:      newCrew(options.MaxConcurrentReconciles),
		active:    func(context.Context) (map[types.UID]activeJob, error) { return nil, nil },
		waited:    func(string, time.Duration) {},
		entries:   map[types.UID]providerEntry{},
		limits:    map[string]*limits{},
		submitter: newSubmitter(),
	}
	ps.observers.refused = func(p *provider) { ps.suspect(p.account, p.namespace) }
	ps.observers.usable = ps.usable
	return ps
}

// get returns the provider of an account, made anew if the account has changed or its Secret has not been read for a while, which is a shorter
// one while the key is doubted.
func (ps *providers) get(ctx context.Context, account v1alpha1.Account) (*provider, error) {
	ps.mu.Lock()
	entry, ok := ps.entries[account.GetUID()]
	ps.mu.Unlock()
	interval := ps.options.SecretInterval
	if entry.doubted {
		interval = min(interval, ps.options.RetryInterval)
	}
	if ok && entry.generation == account.GetGeneration() && ps.options.Clock.Since(entry.readAt) < interval {
		return entry.provider, nil
	}
	return ps.renew(ctx, account)
}

// renew reads the account's Secret and makes its provider. The HTTP connections of an unchanged one are kept.
func (ps *providers) renew(ctx context.Context, account v1alpha1.Account) (*provider, error) {
	key, err := ps.readKey(ctx, account)
	if err != nil {
		return nil, err
	}
	p, err := ps.build(account, key)
	if err != nil {
		return nil, err
	}
	if err := ps.takeStock(ctx); err != nil {
		return nil, err
	}
	entered, err := ps.enter(p, account)
	if entered == p {
		ps.observers.abandon(account.GetUID(), p.observerID())
	}
	return entered, err
}

// enter takes a provider that was just made for its account's, unless that has the same already. It returns the account's.
func (ps *providers) enter(p *provider, account v1alpha1.Account) (*provider, error) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	old, known := ps.entries[account.GetUID()]
	if !known && slices.Contains(ps.forgotten, account.GetUID()) {
		p.client.CloseIdleConnections()
		return nil, accountErrorf(v1alpha1.ReasonAccountNotFound, "%s %s was deleted", account.AccountKind(), account.GetName())
	}
	if known && old.generation == account.GetGeneration() && old.provider.keyFingerprint == p.keyFingerprint {
		p.client.CloseIdleConnections()
		p = old.provider
	} else {
		ps.adopt(p, old.provider, account)
	}
	entry := old
	entry.provider, entry.generation, entry.readAt = p, account.GetGeneration(), ps.options.Clock.Now()
	ps.entries[account.GetUID()] = entry
	return p, nil
}

// adopt gives a new provider its limits, and takes the old one's away. What is at the provider is counted before anybody is let in. The caller
// holds the lock.
func (ps *providers) adopt(p, old *provider, account v1alpha1.Account) {
	p.limits = ps.limitsOf(p)
	for uid, job := range ps.stock {
		if job.countsFor(p) {
			p.limits.occupy(uid, job.occupiedPlace)
		}
	}
	if old != nil && old.limits != p.limits {
		for uid, place := range old.limits.placesOf(account.GetUID()) {
			p.limits.occupy(uid, place)
		}
	}
	p.limits.set(sharer{account: p.account, namespace: p.namespace, limits: valueOf(account.AccountSpec().Limits)})
	if old == nil {
		return
	}
	old.client.CloseIdleConnections()
	if old.limits != p.limits {
		ps.leave(old)
	}
}

// suspect has the account's Secret read and its key tried again at once: the provider refused it, or it cannot be read.
func (ps *providers) suspect(account v1alpha1.ResolvedAccountReference, namespace string) {
	ps.mu.Lock()
	if entry, ok := ps.entries[account.UID]; ok {
		entry.doubted, entry.trying = true, true
		ps.entries[account.UID] = entry
	}
	ps.mu.Unlock()
	ps.accounts[account.Kind].wake(types.NamespacedName{Namespace: namespace, Name: account.Name})
}

// doubted reports whether an account's key is to be tried, because it never was or was refused since.
func (ps *providers) doubted(uid types.UID) bool {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	entry, ok := ps.entries[uid]
	return !ok || entry.doubted
}

// isTrying reports whether an account's key was refused, and is about to be tried.
func (ps *providers) isTrying(uid types.UID) bool {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return ps.entries[uid].trying
}

// tried notes that an account's key was tried, and with which result. A conclusive one ends the doubt; the provider is the one whose key was
// tried, nil if it came to none.
func (ps *providers) tried(uid types.UID, p *provider, err error) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	entry, ok := ps.entries[uid]
	if !ok {
		return
	}
	entry.trying = false
	if isConclusive(err) {
		entry.doubted, entry.refused, entry.broken = false, nil, p == nil
		if isRefusal(err) {
			entry.refused = p
		}
	}
	ps.entries[uid] = entry
}

// stillRefused notes that an account's key is the one that was refused a short while ago, so that it need not be tried.
func (ps *providers) stillRefused(uid types.UID) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if entry, ok := ps.entries[uid]; ok {
		entry.trying, entry.doubted = false, false
		ps.entries[uid] = entry
	}
}

// usable reports whether a provider's key is worth a request: it is its account's, and not known or likely to be refused.
func (ps *providers) usable(p *provider) bool {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	entry, ok := ps.entries[p.account.UID]
	return ok && entry.provider.keyFingerprint == p.keyFingerprint && !entry.trying && !entry.broken && entry.refused == nil
}

// refusing says why the provider refuses one submission of an account after the other, by a reason and a message; both are empty if it
// does not.
func (ps *providers) refusing(uid types.UID) (reason, because string) {
	ps.mu.Lock()
	entry, ok := ps.entries[uid]
	ps.mu.Unlock()
	if !ok {
		return "", ""
	}
	return entry.provider.limits.refusing()
}

// wasRefused reports whether a provider's key was refused when it was tried last.
func (ps *providers) wasRefused(p *provider) bool {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return ps.entries[p.account.UID].refused == p
}

// maxForgotten is how many deleted accounts are remembered: more than are ever deleted while one's Secret is being read.
const maxForgotten = 1000

// forget drops what is kept of a deleted account. A pass that had read it before must not bring it back: nobody would ever take its
// limits away again.
func (ps *providers) forget(uid types.UID) {
	if uid == "" {
		return
	}
	ps.observers.forgetAccount(uid)
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.forgotten = append(ps.forgotten, uid)
	ps.forgotten = ps.forgotten[max(0, len(ps.forgotten)-maxForgotten):]
	if entry, ok := ps.entries[uid]; ok {
		entry.provider.client.CloseIdleConnections()
		ps.leave(entry.provider)
		delete(ps.entries, uid)
	}
}

// release stops counting a job against the limits of whichever key it used, and looking at it.
func (ps *providers) release(uid types.UID) {
	ps.observers.forget(uid)
	ps.mu.Lock()
	defer ps.mu.Unlock()
	delete(ps.stock, uid)
	for id, l := range ps.limits {
		l.release(uid)
		ps.prune(id, l)
	}
}

// releaseNamed stops counting a job that was gone before this manager saw it.
func (ps *providers) releaseNamed(name types.NamespacedName) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for uid, job := range ps.stock {
		if job.key == name {
			delete(ps.stock, uid)
		}
	}
	for id, l := range ps.limits {
		l.releaseNamed(name)
		ps.prune(id, l)
	}
}

// limitsID names the limits that a provider is subject to: those of its host and key, which several accounts may share. Accounts without a
// key have nothing in common but the address, which anybody may name: each has limits of its own, so that nobody's low figures hold
// up the jobs of other namespaces.
func limitsID(baseURL, keyFingerprint string, account types.UID) string {
	if keyFingerprint == noKeyFingerprint {
		return baseURL + " " + noKeyFingerprint + " " + string(account)
	}
	return baseURL + " " + keyFingerprint
}

func (p *provider) limitsID() string { return limitsID(p.baseURL, p.keyFingerprint, p.account.UID) }

// occupy counts a job that is, or may be, at the provider.
func (p *provider) occupy(job *v1alpha1.TranscriptionJob) {
	p.limits.occupy(job.UID, occupiedPlace{key: client.ObjectKeyFromObject(job), account: p.account.UID})
}

// leave takes an account's figures out of its limits. The caller holds the lock.
func (ps *providers) leave(p *provider) {
	p.limits.unset(p.account.UID)
	ps.prune(p.limitsID(), p.limits)
}

// prune drops limits that nobody needs any more. The caller holds the lock.
func (ps *providers) prune(id string, l *limits) {
	if l.unused() {
		delete(ps.limits, id)
	}
}

// limitsOf returns the limits that a provider is subject to; of the accounts that share them, the lowest figures win.
func (ps *providers) limitsOf(p *provider) *limits {
	id := p.limitsID()
	l, ok := ps.limits[id]
	if !ok {
		l = newLimits(ps.options, ps.jobs.wake)
		l.changed, l.waited, l.hands.crew = ps.wakeAccounts, ps.waited, ps.crew
		ps.limits[id] = l
	}
	return l
}

// wakeAccounts has accounts reconciled, because something has happened to the limits that they share.
func (ps *providers) wakeAccounts(sharers []sharer) {
	for _, s := range sharers {
		ps.accounts[s.account.Kind].wake(types.NamespacedName{Namespace: s.namespace, Name: s.account.Name})
	}
}

// readKey reads the API key, or returns "" for an account that has none. The Secret of a namespaced account is in its namespace,
// that of a cluster account in the manager's, so that no namespace can name another's.
func (ps *providers) readKey(ctx context.Context, account v1alpha1.Account) (string, error) {
	ref := account.AccountSpec().APIKeySecretRef
	if ref == nil {
		return "", nil
	}
	namespace := account.GetNamespace()
	if account.AccountKind() == v1alpha1.ClusterAccount {
		namespace = ps.options.Namespace
	}
	secret := &corev1.Secret{}
	if err := ps.secrets.Get(ctx, types.NamespacedName{Namespace: namespace, Name: ref.Name}, secret); err != nil {
		if apierrors.IsNotFound(err) {
			return "", accountErrorf(v1alpha1.ReasonSecretNotFound, "there is no Secret %s/%s; create it with the API key under %q", namespace, ref.Name, ref.Key)
		}
		return "", fmt.Errorf("cannot read Secret %s/%s: %w", namespace, ref.Name, err)
	}
	value, ok := secret.Data[ref.Key]
	if !ok {
		return "", accountErrorf(v1alpha1.ReasonSecretNotFound, "Secret %s/%s has no key %q; put the API key there, or name another key in spec.apiKeySecretRef.key", namespace, ref.Name, ref.Key)
	}
	key := strings.TrimSpace(string(value))
	if key == "" || len(key) > maxAPIKeyBytes || strings.ContainsFunc(key, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return "", accountErrorf(v1alpha1.ReasonInvalidSecret, "the value of %q in Secret %s/%s cannot be an API key: it must be one word of at most %d visible ASCII characters", ref.Key, namespace, ref.Name, maxAPIKeyBytes)
	}
	return key, nil
}

// build makes the provider of an account.
func (ps *providers) build(account v1alpha1.Account, key string) (*provider, error) {
	baseURL, err := ps.baseURL(account)
	if err != nil {
		return nil, err
	}
	httpClient, err := ps.httpClient(account.AccountSpec())
	if err != nil {
		return nil, err
	}
	backend := backendOf(account.AccountSpec())
	if backend == speechmatics.Worker && !strings.HasSuffix(baseURL, "/v2") {
		// What tells whether it is ready is beside /v2.
		return nil, accountErrorf(v1alpha1.ReasonInvalidAccount, "spec.baseURL of a worker must end in /v2, for example http://host:18000/v2; correct it")
	}
	p := &provider{}
	httpClient.Transport = &listening{next: httpClient.Transport, heard: func(answered bool) { p.limits.hands.heard(answered) }}
	options := []speechmatics.Option{
		speechmatics.WithBackend(backend),
		speechmatics.WithHTTPClient(httpClient),
		speechmatics.WithUserAgent("transcription-operator/" + version.String()),
	}
	if key != "" {
		options = append(options, speechmatics.WithAPIKey(key))
	}
	c, err := speechmatics.New(baseURL, options...)
	if err != nil {
		return nil, unusable(err)
	}
	*p = provider{
		client:         c,
		backend:        backend,
		account:        v1alpha1.ResolvedReference(account),
		namespace:      account.GetNamespace(),
		baseURL:        baseURL,
		keyFingerprint: fingerprint(key),
		callbackURL:    ps.callbackURL(account.AccountSpec()),
		pollInterval:   ps.pollInterval(account.AccountSpec()),
		trust:          trustOf(account.AccountSpec()),
	}
	return p, nil
}

// listening tells whether requests are answered at all.
type listening struct {
	next  http.RoundTripper
	heard func(answered bool)
}

// RoundTrip implements http.RoundTripper.
func (l *listening) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := l.next.RoundTrip(r)
	if !errors.Is(err, context.Canceled) {
		l.heard(err == nil)
	}
	return response, err
}

// CloseIdleConnections is what http.Client looks for.
func (l *listening) CloseIdleConnections() {
	if closer, ok := l.next.(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}

// unusable words what the client makes of an account for people, who know nothing of its methods.
func unusable(err error) error {
	var invalid *speechmatics.InvalidError
	if errors.As(err, &invalid) {
		return accountErrorf(v1alpha1.ReasonInvalidAccount, "the account's address or key cannot be used: %s %s", invalid.Field, invalid.Problem)
	}
	return accountErrorf(v1alpha1.ReasonInvalidAccount, "the account's address or key cannot be used: %v", err)
}

// baseURL is where the account's jobs live.
func (ps *providers) baseURL(account v1alpha1.Account) (string, error) {
	spec := account.AccountSpec()
	if spec.Region != nil {
		return fmt.Sprintf(regionURL, *spec.Region), nil
	}
	baseURL := strings.TrimRight(valueOf(spec.BaseURL), "/")
	allowed := account.AccountKind() == v1alpha1.ClusterAccount || slices.ContainsFunc(ps.options.AllowedBaseURLs, func(u string) bool {
		return strings.TrimRight(u, "/") == baseURL
	})
	if !allowed {
		instead := ""
		if backendOf(spec) == speechmatics.SaaS {
			instead = "set spec.region instead, or "
		}
		return "", accountErrorf(v1alpha1.ReasonBaseURLNotAllowed,
			"the account may not use the address %s: %sask the administrator to add the address to the manager's flag --allowed-base-urls or to make a ClusterSpeechmaticsAccount",
			baseURL, instead)
	}
	return baseURL, nil
}

func (ps *providers) callbackURL(spec *v1alpha1.SpeechmaticsAccountSpec) string {
	if spec.CallbackURL != nil {
		return *spec.CallbackURL
	}
	return ps.options.CallbackURL
}

func (ps *providers) pollInterval(spec *v1alpha1.SpeechmaticsAccountSpec) time.Duration {
	if spec.PollInterval != nil {
		return spec.PollInterval.Duration
	}
	return ps.options.PollInterval
}

// httpClient makes the HTTP client of one account. It has no timeout of its own, because transcripts and uploads may take
// long; every call has a context.
func (ps *providers) httpClient(spec *v1alpha1.SpeechmaticsAccountSpec) (*http.Client, error) {
	tlsConfig, err := tlsConfigOf(spec)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           newDialer(ps.options.AllowPrivateAddresses).DialContext,
		ForceAttemptHTTP2:     true,
		MaxIdleConnsPerHost:   16,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: 60 * time.Second,
		TLSClientConfig:       tlsConfig,
	}
	return &http.Client{Transport: transport}, nil
}

// newDialer makes what connects to the provider.
func newDialer(allowPrivateAddresses bool) *net.Dialer {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	if !allowPrivateAddresses {
		dialer.Control = refusePrivateAddresses
	}
	return dialer
}

// tlsConfigOf says whose certificates are believed: the system's authorities, those of the account's own bundle instead, or, where
// the account asks for it, anybody's.
func tlsConfigOf(spec *v1alpha1.SpeechmaticsAccountSpec) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if len(spec.CABundle) > 0 {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(spec.CABundle) {
			return nil, accountErrorf(v1alpha1.ReasonInvalidAccount, "spec.caBundle holds no certificate in PEM form")
		}
	}
	config.InsecureSkipVerify = valueOf(spec.InsecureSkipTLSVerify)
	return config, nil
}

// trustOf identifies whose certificates an account believes.
func trustOf(spec *v1alpha1.SpeechmaticsAccountSpec) string {
	sum := sha256.Sum256(spec.CABundle)
	return fmt.Sprintf("%x %t", sum[:8], valueOf(spec.InsecureSkipTLSVerify))
}

// errPrivateAddress is the error of a connection to an address inside the cluster or the network around it.
var errPrivateAddress = errors.New("the address is loopback, private or link-local, which only the manager's flag --allow-private-addresses permits")

// specialRanges are ranges that netip counts neither as private nor as anything else, and that no public service is in.
var specialRanges = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),        // this network (RFC 791)
	netip.MustParsePrefix("100.64.0.0/10"),    // carriers' address translation (RFC 6598)
	netip.MustParsePrefix("168.63.129.16/32"), // Azure's platform, within its virtual networks
	netip.MustParsePrefix("192.0.0.0/24"),     // protocol assignments (RFC 6890)
	netip.MustParsePrefix("198.18.0.0/15"),    // benchmarks (RFC 2544)
	netip.MustParsePrefix("240.0.0.0/4"),      // reserved (RFC 1112)
	netip.MustParsePrefix("64:ff9b::/96"),     // IPv4 behind a translator (RFC 6052), private ones included
	netip.MustParsePrefix("64:ff9b:1::/48"),   // the same, locally (RFC 8215)
	netip.MustParsePrefix("::/96"),            // IPv4 in IPv6, deprecated (RFC 4291)
	netip.MustParsePrefix("2001::/32"),        // IPv4 behind Teredo (RFC 4380)
	netip.MustParsePrefix("2002::/16"),        // IPv4 behind 6to4 (RFC 3056)
	netip.MustParsePrefix("fec0::/10"),        // site-local, deprecated (RFC 3879)
}

// refusePrivateAddresses is a net.Dialer's Control: it sees the address that is really dialled, after DNS, so that a name that
// changes between a check and the connection gains nothing. Behind an HTTP proxy (HTTPS_PROXY) it sees the proxy's address, and
// the proxy decides.
func refusePrivateAddresses(_, address string, _ syscall.RawConn) error {
	addrPort, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("cannot check the address: %w", err)
	}
	ip := addrPort.Addr().Unmap()
	special := slices.ContainsFunc(specialRanges, func(p netip.Prefix) bool { return p.Contains(ip) })
	if !ip.IsGlobalUnicast() || ip.IsPrivate() || special {
		return errPrivateAddress
	}
	return nil
}

// noKeyFingerprint stands for the key of an account that has none.
const noKeyFingerprint = "none"

// fingerprint identifies a key without revealing it: the first half of its SHA-256. Keys are random and long, so that it cannot be
// found by trying.
func fingerprint(key string) string {
	if key == "" {
		return noKeyFingerprint
	}
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:16])
}
