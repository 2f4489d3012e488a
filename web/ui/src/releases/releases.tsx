import type { Releases as List } from "../api";
import { count } from "../format";
import { useLive } from "../live";
import { Empty } from "../part/command";
import { More } from "../part/more";
import { Search } from "../part/search";
import { Shown } from "../part/table";
import { usePlace } from "../url";
import { ReleaseTable } from "./table";
import { Timeline } from "./timeline";

export function Releases() {
  const { query } = usePlace();
  const search = query.get("search") ?? undefined;
  const answer = useLive<List>("releases", { search, limit: query.get("limit") ?? undefined });
  return (
    <Shown answer={answer}>
      {(list) =>
        list.all === 0 ? (
          <Empty text="Nothing has been released yet. A release shifts traffic to a new version, judges it by its own requests, and takes it out again if it is worse." command="weft release start APPLICATION VERSION --wait" />
        ) : (
          <>
            <div className="bar-above">
              <Search label="Find a release" />
              <span className="dim">{search ? `${list.total} of ${count(list.all, "release")}` : count(list.all, "release")}</span>
            </div>
            <Timeline releases={list.releases} />
            <ReleaseTable releases={list.releases} label="Releases, those under way first, then the newest" />
            {list.total === 0 && <p className="none dim">No release has “{search}” in its name.</p>}
            <More shown={list.releases.length} total={list.total} />
          </>
        )
      }
    </Shown>
  );
}
