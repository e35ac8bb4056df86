# Copyright The transcription-operator Authors.
# SPDX-License-Identifier: Apache-2.0
#
# One image per program, for every platform that Go compiles for: the compiler runs on the builder's own (BuildKit).
#
#   docker build --build-arg PROGRAM=manager|webhook-receiver|speechmatics-simulator --build-arg VERSION=v1.2.3 .
#   docker buildx build --platform linux/amd64,linux/arm64 --push …

FROM --platform=$BUILDPLATFORM golang:1.26 AS builder
WORKDIR /workspace
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG PROGRAM
ARG VERSION=dev
ARG TARGETOS
ARG TARGETARCH
RUN CGO_ENABLED=0 GOOS=${TARGETOS:-linux} GOARCH=${TARGETARCH} go build -trimpath -buildvcs=false \
    -ldflags "-s -w -X github.com/transcription-operator/transcription-operator/internal/version.Version=${VERSION}" \
    -o /program "./cmd/${PROGRAM:?give --build-arg PROGRAM}"

FROM gcr.io/distroless/static:nonroot
ARG VERSION=dev
LABEL org.opencontainers.image.version=${VERSION}
LABEL org.opencontainers.image.source=https://github.com/transcription-operator/transcription-operator
LABEL org.opencontainers.image.licenses=Apache-2.0
COPY --from=builder /program /program
USER 65532:65532
ENTRYPOINT ["/program"]
