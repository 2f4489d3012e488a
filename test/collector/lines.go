package main

import (
	"context"
	"os"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// place says where lines go.
type place struct {
	Path string `mapstructure:"path"`
}

// lines appends what it is given to a file, each message a line of OTLP's JSON.
func lines() exporter.Factory {
	return exporter.NewFactory(component.MustNewType("lines"), func() component.Config { return &place{} }, exporter.WithTraces(
		func(ctx context.Context, set exporter.Settings, config component.Config) (exporter.Traces, error) {
			return exporterhelper.NewTraces(ctx, set, config, config.(*place).write)
		}, component.StabilityLevelDevelopment))
}

func (p *place) write(_ context.Context, spans ptrace.Traces) error {
	line, err := (&ptrace.JSONMarshaler{}).MarshalTraces(spans)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(p.Path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err = file.Write(append(line, '\n')); err != nil {
		file.Close()
		return err
	}
	return file.Close()
}
