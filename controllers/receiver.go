// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"time"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/notification"
)

const (
	// checkTimeout bounds the question whether a job's transcripts could be stored.
	checkTimeout = 10 * time.Second
	// receiverHeaderTimeout bounds the wait for the receiver's answer once everything is sent. It stores durably first, and a long
	// document has to wait for its turn to be read.
	receiverHeaderTimeout = 10 * time.Minute
	// deliveryTimeout bounds a whole delivery. The longest transcripts have some 25 MB.
	deliveryTimeout = 15 * time.Minute
)

// ReceiverClient speaks to the internal listener of the webhook receiver.
type ReceiverClient struct {
	baseURL string
	keys    notification.KeySource
	http    *http.Client
}

// NewReceiverClient returns a client for the internal listener at baseURL, whose requests are signed with keys.
func NewReceiverClient(baseURL string, keys notification.KeySource) (*ReceiverClient, error) {
	if _, err := notification.StoreURL(baseURL, notification.Target{}); err != nil {
		return nil, err
	}
	transport := &http.Transport{
		DialContext:           (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		MaxIdleConnsPerHost:   16,
		IdleConnTimeout:       90 * time.Second,
		ResponseHeaderTimeout: receiverHeaderTimeout,
	}
	noRedirects := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &ReceiverClient{baseURL: baseURL, keys: keys, http: &http.Client{Transport: transport, CheckRedirect: noRedirects}}, nil
}

// receiverError is a refusal that the receiver explains.
type receiverError struct {
	notification.Problem
	status int
}

func (e *receiverError) Error() string { return e.Message }

// CanStore asks whether the transcripts of a job could be stored, so that nothing is paid for whose result has no place.
func (c *ReceiverClient) CanStore(ctx context.Context, target notification.Target) error {
	address, err := notification.StoreURL(c.baseURL, target)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return err
	}
	return c.do(req, target)
}

// Deliver sends what write writes as the body of a notification. It returns when the receiver has stored it durably.
//
// The context that write is given ends as soon as the receiver has answered, so that a body that stalls is not waited for.
func (c *ReceiverClient) Deliver(ctx context.Context, target notification.Target, jobID string, write func(context.Context, *multipart.Writer) error) error {
	address, err := notification.DeliveryURL(c.baseURL, target, jobID, v1alpha1.OutcomeSuccess)
	if err != nil {
		return err
	}
	ctx, end := context.WithTimeout(ctx, deliveryTimeout)
	defer end()
	writeCtx, stopWriting := context.WithCancel(ctx)
	defer stopWriting()
	reader, writer := io.Pipe()
	body := multipart.NewWriter(writer)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, reader)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", body.FormDataContentType())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = writer.CloseWithError(write(writeCtx, body))
	}()
	err = c.do(req, target)
	// Whatever still writes is told that nobody reads any more, and waited for: it uses the caller's variables.
	stopWriting()
	_ = reader.Close()
	<-done
	return err
}

func (c *ReceiverClient) do(req *http.Request, target notification.Target) error {
	keys, err := c.keys.Keyring()
	if err != nil {
		return fmt.Errorf("cannot sign the request: %w", err)
	}
	req.Header.Set("Authorization", notification.Authorization(keys.Token(notification.PurposeDeliver, target)))
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer func() {
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
		_ = resp.Body.Close()
	}()
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return nil
	}
	problem, err := notification.DecodeProblem(resp.Body)
	if err != nil {
		return errors.Join(fmt.Errorf("it answered %s", resp.Status), err)
	}
	return &receiverError{Problem: problem, status: resp.StatusCode}
}
