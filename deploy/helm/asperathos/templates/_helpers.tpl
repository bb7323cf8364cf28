{{- define "asperathos.labels" -}}
app.kubernetes.io/name: asperathos
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: server
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end }}

{{/* What does not change from version to version. */}}
{{- define "asperathos.selector" -}}
app.kubernetes.io/name: asperathos
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: server
{{- end }}

{{/* Where Jobs may run, as JSON, since a template gives only text. */}}
{{- define "asperathos.namespaces" -}}
{{ .Values.jobs.namespaces | default (list .Release.Namespace) | toJson }}
{{- end }}

{{/* Host names that the server answers to, with the port that clients add when it is not 80. */}}
{{- define "asperathos.hosts" -}}
{{- $port := ternary "" (printf ":%v" .Values.service.port) (eq (int .Values.service.port) 80) }}
{{- $own := list .Release.Name (printf "%s.%s" .Release.Name .Release.Namespace) (printf "%s.%s.svc" .Release.Name .Release.Namespace) }}
{{- $all := .Values.hosts }}
{{- range $own }}{{ $all = append $all (printf "%s%s" . $port) }}{{ end }}
{{- join "," $all }}
{{- end }}
