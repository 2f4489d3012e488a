package spinnaker

import (
	"slices"

	"weft.dev/api/v1alpha1"
)

// kind converts one type of stage; keys are the fields that it knows.
type kind struct {
	keys    []string
	convert func(j *job, out *v1alpha1.Stage) error
}

// kinds are those that weft has a stage for.
var kinds = map[string]kind{
	"wait":               {[]string{"waitTime"}, wait},
	"manualJudgment":     {[]string{"instructions", "judgmentInputs", "selectedStageRoles", "requiredJudgmentRoles", "preventSelfApproval"}, judgment},
	"checkPreconditions": {[]string{"preconditions"}, check},
	"evaluateVariables":  {[]string{"variables"}, variables},
	"pipeline":           {[]string{"pipeline", "application", "pipelineApplication", "pipelineParameters", "waitForCompletion"}, runPipeline},
	"bakeManifest": {[]string{"templateRenderer", "inputArtifacts", "inputArtifact", "helmChartFilePath", "kustomizeFilePath", "outputName", "namespace", "includeCRDs",
		"overrides", "rawOverrides", "evaluateOverrideExpressions", "kubeVersion", "apiVersions"}, bakeManifest},
	"webhook": {[]string{"url", "method", "payload", "customHeaders", "waitForCompletion", "statusUrlResolution", "statusUrlJsonPath", "statusJsonPath",
		"successStatuses", "canceledStatuses", "terminalStatuses", "monitorOnly", "cancelEndpoint", "account"}, webhook},
}

// Fields of any stage that are converted, and those that mean nothing here.
var (
	commonKeys = []string{"type", "name", "refId", "requisiteStageRefIds", "continuePipeline", "failPipeline", "completeOtherBranchesThenFail",
		"stageEnabled", "overrideTimeout", "stageTimeoutMs", "restrictExecutionDuringTimeWindow", "restrictedExecutionWindow", "failOnFailedExpressions"}
	silentKeys = []string{"alias", "group", "isNew", "inherited", "comments", "cloudProvider", "cloudProviderType", "skipWaitText",
		"progressJsonPath", "statusEndpoint", "cancelMethod", "cancelPayload"}
	keptKeys = map[string]string{
		"notifications":                  "nobody is told",
		"expectedArtifacts":              "it makes no artifacts; what a bake gives are its outputs",
		"propagateAuthenticationContext": "what follows does not run as the person who judged",
		"waitBeforeMonitor":              "it is asked at once",
		"retryStatusCodes":               "such an answer fails it",
		"failFastStatusCodes":            "such an answer fails it no sooner than others",
	}
)

// leftovers says which fields of the stage are not converted. None is lost: the
// export has them.
func (j *job) leftovers() {
	k, known := kinds[j.typ]
	if !known {
		return
	}
	for _, key := range sortedKeys(j.raw) {
		text, kept := keptKeys[key]
		switch {
		case slices.Contains(commonKeys, key), slices.Contains(k.keys, key), empty(j.raw[key]):
		case slices.Contains(silentKeys, key), key == "sendNotifications":
		case kept:
			j.note(Changed, key, "%s", text)
		default:
			j.note(Ignored, key, "a %s stage has no such field", j.typ)
		}
	}
}
