package board

import (
	"encoding/json"
	"fmt"
)

// Of Grafana's model of a dashboard.
const (
	schemaVersion = 39 // Grafana 10 and later
	perRow        = 2
	width, height = 24 / perRow, 8
)

type object = map[string]any

// source is the data source that a person chooses on the dashboard.
var source = object{"type": "prometheus", "uid": "${datasource}"}

// Grafana is the file that Grafana imports, or is provisioned with.
func (b Board) Grafana() ([]byte, error) {
	variables := []object{{"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}}
	for _, v := range b.Variables {
		query := fmt.Sprintf("label_values(%s, %s)", v.Match, v.Label)
		variables = append(variables, object{
			"name": v.Name, "type": "query", "datasource": source, "definition": query, "query": object{"query": query, "refId": v.Name},
			"refresh": 2, "sort": 1, // at each change of the time range; by name
		})
	}
	panels := []object{}
	for i, p := range b.Panels {
		panels = append(panels, p.grafana(i))
	}
	return json.MarshalIndent(object{
		"uid": "weft-" + b.Name, "title": "weft: " + b.Title, "tags": []string{"weft"}, "schemaVersion": schemaVersion, "editable": true,
		"time": object{"from": "now-1h", "to": "now"}, "refresh": "30s", "templating": object{"list": variables}, "panels": panels,
	}, "", "  ")
}

func (p Panel) grafana(i int) object {
	targets := []object{}
	for n, q := range p.Queries {
		targets = append(targets, object{"refId": string(rune('A' + n)), "datasource": source, "expr": q.Expr, "legendFormat": q.Legend})
	}
	return object{
		"id": i + 1, "type": "timeseries", "title": p.Title, "description": p.Help, "datasource": source, "targets": targets,
		"gridPos":     object{"x": i % perRow * width, "y": i / perRow * height, "w": width, "h": height},
		"fieldConfig": object{"defaults": object{"unit": p.Unit, "min": 0}, "overrides": []object{}},
	}
}
