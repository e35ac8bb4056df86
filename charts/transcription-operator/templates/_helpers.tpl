{{/* The release's name, with the chart's in it. Short enough for the longest suffix. */}}
{{- define "transcription-operator.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 36 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 36 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels of every object. */}}
{{- define "transcription-operator.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* Labels of what it takes a cluster's administrator to apply, as in config/rbac. */}}
{{- define "transcription-operator.rightsLabels" -}}
{{ include "transcription-operator.labels" . }}
app.kubernetes.io/component: rights
{{- end -}}

{{/* Labels by which the pods of a component are selected: (list . "manager"). They never change. */}}
{{- define "transcription-operator.selector" -}}
{{- $top := index . 0 -}}
app.kubernetes.io/name: {{ $top.Chart.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* Labels of a component's pods: (list . "manager" .Values.manager). */}}
{{- define "transcription-operator.podLabels" -}}
{{- merge (include "transcription-operator.selector" . | fromYaml) ((index . 2).podLabels | default dict) | toYaml -}}
{{- end -}}

{{/* An image's reference: (list . .Values.manager.image). */}}
{{- define "transcription-operator.image" -}}
{{- $top := index . 0 -}}
{{- $image := index . 1 -}}
{{- $repository := required "manager.image.repository and receiver.image.repository are needed: no images are published yet (docs/install.md)" $image.repository -}}
{{- if $image.digest -}}
{{ $repository }}@{{ $image.digest }}
{{- else -}}
{{ $repository }}:{{ $image.tag | default $top.Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* The Secret with the notification keys. */}}
{{- define "transcription-operator.keys" -}}
{{- .Values.notificationKeys.existingSecret | default "notification-keys" -}}
{{- end -}}

{{/* The public address that Speechmatics notifies; empty if there is none. */}}
{{- define "transcription-operator.callbackURL" -}}
{{- if .Values.callbackURL -}}
{{ .Values.callbackURL }}
{{- else if .Values.ingress.enabled -}}
https://{{ required "ingress.host is needed: the name of the host that Speechmatics notifies" .Values.ingress.host }}
{{- else if .Values.httpRoute.enabled -}}
https://{{ required "httpRoute.host is needed: the name of the host that Speechmatics notifies" .Values.httpRoute.host }}
{{- end -}}
{{- end -}}

{{/* What every pod has: (list . "manager" .Values.manager). */}}
{{- define "transcription-operator.pod" -}}
{{- $top := index . 0 -}}
{{- $component := index . 1 -}}
{{- $values := index . 2 -}}
serviceAccountName: {{ include "transcription-operator.fullname" $top }}-{{ $component }}
enableServiceLinks: false
{{- with $top.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
- maxSkew: 1
  topologyKey: kubernetes.io/hostname
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels: {{- include "transcription-operator.selector" (list $top $component) | nindent 6 }}
{{- end -}}

{{/* A pod's security context: Pod Security's level "restricted". */}}
{{- define "transcription-operator.podSecurity" -}}
runAsNonRoot: true
{{- if .Values.fixedUser }}
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
{{- end }}
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/* A container's security context. */}}
{{- define "transcription-operator.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}
