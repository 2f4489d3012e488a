{{- define "weft.name" -}}
weft{{ if ne .Values.revision "default" }}-{{ .Values.revision }}{{ end }}
{{- end }}

{{- define "weft.labels" -}}
app.kubernetes.io/part-of: weft
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
weft.dev/revision: {{ .Values.revision | quote }}
{{- end }}

{{- /* What only one control plane of a cluster has. */ -}}
{{- define "weft.sharedLabels" -}}
app.kubernetes.io/part-of: weft
{{- end }}

{{- define "weft.selector" -}}
app: weft
weft.dev/revision: {{ .Values.revision | quote }}
{{- end }}
