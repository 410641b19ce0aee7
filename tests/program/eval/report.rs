//! The report in a real browser: it fits wide and narrow windows, shows its pictures, and writes nothing to the console.

use std::fs;

use tempfile::tempdir;

use crate::eval::program::{coco, ends, eval};
use shuffledet_testing::browser::{browse, chromium, measurements};

/// Shows the report in a frame of the wanted width, since a window cannot be as narrow as a phone, and measures it.
const GAUGE: &str = r#"<!doctype html><meta name="color-scheme" content="light dark"><link rel="icon" href="data:,">
<iframe src="report.html" style="border:0;width:WIDTHpx;height:900px"></iframe>
<script>
addEventListener("load", () => {
  const view = frames[0], page = view.document;
  page.querySelectorAll("details").forEach(details => { details.open = true; });
  const data = JSON.parse(page.getElementById("data").textContent);
  document.documentElement.dataset.measured = JSON.stringify({
    scroll: page.documentElement.scrollWidth,
    images: [...page.images].filter(image => image.naturalWidth > 0).length,
    plots: [...page.querySelectorAll("svg.plot, svg.small-curve")].filter(svg => svg.checkVisibility()).length,
    sections: [...page.querySelectorAll("h2")].map(h => h.id).join(" "),
    headings: page.querySelectorAll("h1").length,
    scripts: page.scripts.length,
    ap: data.evaluation.AP,
    images_in_data: "images" in data.evaluation,
    fails: data.budget.filter(condition => !condition.passed).length,
  });
});
</script>"#;

#[test]
fn the_report_fits_every_window_and_is_silent() {
    let test = "the_report_fits_every_window_and_is_silent";
    let Some(coco) = coco(test) else {
        return;
    };
    let Some(chromium) = chromium() else {
        eprintln!("skipped: {test}: needs Chromium");
        return;
    };
    let folder = tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let budget = "- map50 >= 0.9\n- failed == 0\n";
    fs::write(path("b.yaml"), budget).unwrap();
    let camera = "image_width: 640\nimage_height: 480\ncamera_name: c\n\
        camera_matrix: {rows: 3, cols: 3, data: [600, 0, 320, 0, 600, 240, 0, 0, 1]}\n\
        distortion_model: plumb_bob\ndistortion_coefficients: {rows: 1, cols: 5, data: [0, 0, 0, 0, 0]}\n\
        rectification_matrix: {rows: 3, cols: 3, data: [1, 0, 0, 0, 1, 0, 0, 0, 1]}\n\
        projection_matrix: {rows: 3, cols: 4, data: [600, 0, 320, 0, 0, 600, 240, 0, 0, 0, 1, 0]}\n";
    fs::write(path("c.yaml"), camera).unwrap();
    let mut command = eval(&coco);
    command.args(["--model", "nanodet_plus_m_416"]);
    command.args(["--quiet", "--camera-height", "1.5"]);
    command.arg("--camera-info").arg(path("c.yaml"));
    command.arg("--budget").arg(path("b.yaml"));
    ends(command.arg("--report").arg(path("report.html")), 3);
    let page = fs::read_to_string(path("report.html")).unwrap();
    for outside in ["http:", "https:", "url(", "@import", "src=\"/"] {
        assert!(!page.contains(outside), "{outside}");
    }
    for width in [1280, 375] {
        fs::write(
            path("gauge.html"),
            GAUGE.replace("WIDTH", &width.to_string()),
        )
        .unwrap();
        let (dom, log) = browse(&chromium, &path("gauge.html"), folder.path(), width == 375);
        assert!(!log.contains("CONSOLE"), "{log}");
        let found = measurements(&dom);
        assert!(found["scroll"].as_u64() <= Some(width), "{found}");
        assert_eq!(found["images"], 24, "{found}");
        assert_eq!(found["plots"], 25, "{found}");
        assert_eq!(
            (&found["headings"], &found["scripts"]),
            (&1.into(), &1.into())
        );
        assert_eq!(
            found["sections"],
            "budget accuracy curves classes confusion distance wrong missed problems stages distributions \
             configuration versions method"
        );
        assert!(found["ap"].as_f64().unwrap() > 0.1, "{found}");
        assert_eq!(found["images_in_data"], false);
        assert_eq!(found["fails"], 1);
    }
}
